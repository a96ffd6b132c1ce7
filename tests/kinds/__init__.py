"""The whole program against targets of every kind, alone and together."""
