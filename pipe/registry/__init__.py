"""Asking registries about images: is it there, which digest, how sound is it?"""
