"""What is answered in place of a route: a page to a person who looks at pages, else a problem document."""

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.http.context import preferred_lang
from api.http.problems import Problem, problem_response


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what is wrong."""
    # Pages need the modules of routes, which need this one.
    from api.web.routing import refused_page, wants_page

    scope.setdefault("state", {})["problem"] = problem.code
    request = Request(scope, receive)
    if wants_page(request):
        await (await refused_page(request, problem))(scope, receive, send)
        return
    header = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    lang = preferred_lang(header.decode("latin-1"))
    await problem_response(problem, lang, scope["path"])(scope, receive, send)
