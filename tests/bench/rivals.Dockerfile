# The images that `make bench` compares with, at the versions of the pipe's lock file.
FROM python:3.13-slim-trixie AS bare
COPY requirements.txt /
RUN sed -n 's/^\([a-z][^ ;]*==[^ ;]*\).*/\1/p' /requirements.txt >/versions \
 && python3 -m pip install --root-user-action ignore --no-cache-dir --constraint /versions \
      requests

# The older pipe's dependencies, installed the way it did.
FROM bare AS older
RUN python3 -m pip install --root-user-action ignore --no-cache-dir --constraint /versions \
      bitbucket-pipes-toolkit requests
