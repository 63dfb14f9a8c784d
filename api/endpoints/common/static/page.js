// Everything works without this script; with it, parts of a page change in place.
// <form data-part="list"> or <a data-part="list">: the element with id "list" is replaced by the one of the answer.
// [data-send] in a form: a change sends it. [data-ask]: asks before going on. [data-copy="id"]: copies a text.
"use strict";

(() => {
  const busy = new WeakMap();

  const say = (message) => {
    const place = document.getElementById("said");
    if (place) place.replaceChildren(Object.assign(document.createElement("p"), { className: "notice bad", textContent: message }));
  };

  const refusal = (made) => (made.querySelector("main .notice") || made.querySelector("main h1"))?.textContent.trim() ?? "";

  async function change(ids, url, options = {}) {
    const names = ids.split(/\s+/).filter(Boolean);
    const parts = names.map((id) => document.getElementById(id)).filter(Boolean);
    const key = parts[0];
    if (!key) { location.assign(url); return null; }
    busy.get(key)?.abort();
    const stop = new AbortController();
    busy.set(key, stop);
    for (const part of parts) { part.classList.add("busy"); part.setAttribute("aria-busy", "true"); }
    try {
      const answer = await fetch(url, { ...options, signal: stop.signal, headers: { "X-Part": names.join(" "), ...options.headers } });
      const type = answer.headers.get("content-type") || "";
      if (!type.includes("text/html")) { location.assign(url); return null; }
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!names.some((id) => made.getElementById(id))) {
        // What was typed stays on the page, and can be sent again.
        if (options.method === "POST" && !answer.ok) say(refusal(made));
        else location.assign(answer.url);
        return null;
      }
      const held = document.activeElement?.id;
      for (const id of new Set([...names, "said"])) {
        const fresh = made.getElementById(id), old = document.getElementById(id);
        if (fresh && old && id === "said") old.replaceChildren(...fresh.childNodes);
        else if (fresh && old) old.replaceWith(fresh);
      }
      if (held) document.getElementById(held)?.focus({ preventScroll: true });
      document.dispatchEvent(new CustomEvent("part", { detail: { names, answer } }));
      return answer;
    } catch (error) {
      if (error.name !== "AbortError") say(document.body.dataset.offline || error.message);
      return null;
    } finally {
      for (const id of names) {
        const part = document.getElementById(id);
        part?.classList.remove("busy"); part?.removeAttribute("aria-busy");
      }
    }
  }

  // A field named "action" or "method" would stand in the way of the form's properties of that name.
  const attribute = (form, by, name) => by?.getAttribute("form" + name) ?? form.getAttribute(name) ?? "";

  async function send(form, by) {
    const fields = new FormData(form, by);
    const url = new URL(attribute(form, by, "action"), location);
    const ids = by?.dataset.part || form.dataset.part;
    if (attribute(form, by, "method").toLowerCase() !== "post") {
      url.search = new URLSearchParams([...fields].filter(([, value]) => value !== "")).toString();
      if (await change(ids, url)) history.replaceState(null, "", url);
      return;
    }
    const isFile = attribute(form, by, "enctype") === "multipart/form-data";
    await change(ids, url, { method: "POST", body: isFile ? fields : new URLSearchParams(fields) });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target, by = event.submitter;
    const question = by?.dataset.ask || form.dataset.ask;
    if (question && !window.confirm(question)) { event.preventDefault(); return; }
    if (form.dataset.part || by?.dataset.part) { event.preventDefault(); send(form, by); return; }
    // One answer a form: a second tap does not send it again.
    if (attribute(form, by, "method") === "post") setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form button:disabled:not([data-off])").forEach((button) => { button.disabled = false; }));

  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("[data-send]") && event.target.form;
    if (form) form.requestSubmit();
  });

  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("a[data-part]");
    if (link && !event.metaKey && !event.ctrlKey && event.button === 0) {
      event.preventDefault();
      if (await change(link.dataset.part, link.href)) history.pushState(null, "", link.href);
    }
    const copy = event.target.closest?.("[data-copy]");
    if (copy) await navigator.clipboard?.writeText(document.getElementById(copy.dataset.copy).textContent.trim());
  });
  addEventListener("popstate", () => location.reload());

  document.querySelector(".nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  window.page = { change, say };
})();
