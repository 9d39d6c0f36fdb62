"""Closed load under plain Locust: each connection sends its next request when the last answer is in.

`locust -f loadtests/locustfiles/closed.py --host http://127.0.0.1:8000 --connections 64`
"""

from loadtests.standalone import locustfile

Engine = locustfile("closed")
