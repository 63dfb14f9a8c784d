"""HEAD: what GET would answer, without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STREAM = b"text/event-stream"


class HeadMiddleware:
    """Answers HEAD by GET, on every route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        has_ended = False

        async def send_head(message: Message) -> None:
            nonlocal has_ended
            if has_ended:
                # Who streams for as long as somebody listens stops here, as if the client had gone.
                raise OSError
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                has_ended = headers.get(b"content-type", b"").startswith(_STREAM)
                await send(message)
                if has_ended:
                    await send({"type": "http.response.body", "body": b""})
            elif not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        async def receive_end() -> Message:
            return {"type": "http.disconnect"} if has_ended else await receive()

        # A scope of its own: a server that still sees HEAD waits for no body.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive_end, send_head)
        except OSError:
            if not has_ended:
                raise
        finally:
            scope.update(asked, method="HEAD")
