"""What goes in and what comes out, as Pydantic models; both frameworks validate with these very classes."""

from typing import Annotated

from pydantic import BaseModel, Field

ItemId = Annotated[int, Field(ge=1)]
Search = Annotated[str, Field(max_length=50)]
Limit = Annotated[int, Field(ge=1, le=100)]
LIMIT = 10
WaitMs = Annotated[int, Field(ge=0, le=60_000)]
"""A wait that a request asks for: a minute at most, so that no test is held for ever."""
WAIT_MS = 20
Events = Annotated[int, Field(ge=1, le=10_000)]
EVENTS = 10
Name = Annotated[str, Field(min_length=1, max_length=100)]
Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ItemQuery(BaseModel):
    """`GET /items/{item_id}?q=&limit=`: FastAPI takes the three from its signature, Flask fills this model by hand."""

    item_id: ItemId
    q: Search | None = None
    limit: Limit = LIMIT


class SlowQuery(BaseModel):
    """`GET /slow?ms=`."""

    ms: WaitMs = WAIT_MS


class ComputeQuery(BaseModel):
    """`GET /compute?ms=`."""

    ms: WaitMs = WAIT_MS


class StreamQuery(BaseModel):
    """`GET /stream?interval_ms=&events=`."""

    interval_ms: WaitMs = WAIT_MS
    events: Events = EVENTS


class ItemIn(BaseModel):
    """An item as it is posted."""

    name: Name
    price: Price
    quantity: Annotated[int, Field(ge=1)] = 1
    tags: Annotated[list[str], Field(max_length=20)] = []


class Item(ItemIn):
    """An item as it is answered."""

    id: int
    total: float


class Signup(BaseModel):
    """A form."""

    name: Name
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)]
    age: Annotated[int, Field(ge=18, le=150)]
    newsletter: bool = False


class LoginIn(BaseModel):
    """A name and a password, as they are posted."""

    user: Name
    password: Name


class Token(BaseModel):
    """What a login is answered with."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - how a token is sent, is none


class Session(BaseModel):
    """Who a bearer token stands for."""

    realm: str
    user_id: int


class User(BaseModel):
    """A user."""

    id: int
    name: str
    realm: str
    active: bool
