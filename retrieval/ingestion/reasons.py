"""Why a file could not be read, where the parser itself cannot say. Apart from the parser's own process, so that who
only starts it need not load every parser."""

TOO_SLOW = "Reading the file takes too much time. Divide it and try again."
TOO_LARGE = "The file holds too much text. Divide it and try again."
TOO_MUCH_MEMORY = "Reading the file takes too much memory. Divide it and try again."
CRASHED = "The file is damaged: reading it made the parser fail."
