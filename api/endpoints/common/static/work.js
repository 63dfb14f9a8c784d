// Progress of long work as it happens. Without this script the page asks again every few seconds by itself.
"use strict";

(() => {
  function watch() {
    const work = document.querySelector("[data-watch]");
    if (!work || work.watched) return;
    work.watched = true;
    const stages = JSON.parse(work.dataset.stages);
    const source = new EventSource(work.dataset.watch);
    source.addEventListener("progress", (event) => {
      const step = JSON.parse(event.data);
      work.querySelector("progress").value = step.permille;
      work.querySelector("[data-share]").textContent = `${Math.floor(step.permille / 10)} %`;
      const stage = work.querySelector("[data-stage]"), words = stages[step.stage] ?? step.stage;
      if (stage.textContent !== words) stage.textContent = words;
    });
    for (const end of ["done", "failed", "cancelled"]) {
      source.addEventListener(end, () => { source.close(); location.reload(); });
    }
  }
  document.addEventListener("part", watch);
  watch();
})();
