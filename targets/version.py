"""The version of these files; a copy of them that is deployed as a new version has a number here.

0: they are no such copy, and the generation of the code is what the file says in which its workers count.
"""

VERSION = 0
