"""Open load under plain Locust: requests are sent when they are due, whatever the server does.

`locust -f loadtests/locustfiles/open.py --host http://127.0.0.1:8000 --rate 1000`
"""

from loadtests.standalone import locustfile

Engine = locustfile("open")
