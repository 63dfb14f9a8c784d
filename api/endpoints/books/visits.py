"""Who may open the pages of rule books and drafts, and press their buttons."""

from typing import Annotated

from fastapi import Depends

from api.endpoints.common.page_sessions import visiting
from api.endpoints.common.pages import Visit

BookVisit = Annotated[Visit, Depends(visiting("books:read"))]
WriteVisit = Annotated[Visit, Depends(visiting("drafts:write"))]
ApproveVisit = Annotated[Visit, Depends(visiting("drafts:approve"))]
ScheduleVisit = Annotated[Visit, Depends(visiting("books:schedule"))]
RollbackVisit = Annotated[Visit, Depends(visiting("books:rollback"))]
ImpactVisit = Annotated[Visit, Depends(visiting("impacts:run"))]
# An impact is long work: those who read studies watch it, too.
WatchVisit = Annotated[Visit, Depends(visiting("books:read", "studies:read"))]
