"use strict";
// What the page does beside being read: filters, sorting, exact values on pointing, themes. Nothing leaves the page.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Theme: the system's, or one that is chosen and kept.
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const button = document.getElementById("theme");
  const kept = () => { try { return localStorage.getItem("gatebench-theme"); } catch { return null; } };
  const theme = (name) => {
    if (name === "system") delete root.dataset.theme; else root.dataset.theme = name;
    if (button) button.querySelector("span").textContent = name;
    try { localStorage.setItem("gatebench-theme", name); } catch { /* a browser that keeps nothing */ }
  };
  if (themes.includes(kept())) theme(kept());
  button?.addEventListener("click", () => theme(themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % 3]));

  // Filters: an arm is shown when it has every chosen level, a pair when one of its arms is.
  const form = document.getElementById("filters");
  const arms = JSON.parse(document.getElementById("arms")?.textContent ?? "{}");
  const chosen = () => Object.fromEntries([...new FormData(form)].filter(([, level]) => level !== ""));
  const apply = () => {
    const wanted = Object.entries(chosen());
    const shown = new Set(), pairs = new Set(), scenarios = new Set();
    for (const [id, arm] of Object.entries(arms)) {
      if (wanted.every(([name, level]) => arm[name] === level)) {
        shown.add(id); pairs.add(arm.pair); scenarios.add(arm.scenario);
      }
    }
    for (const node of all("[data-pair]")) node.hidden = !pairs.has(node.dataset.pair);
    for (const node of all("[data-arm]")) node.hidden = !shown.has(node.dataset.arm);
    for (const node of all("[data-scenario]")) node.hidden = !scenarios.has(node.dataset.scenario);
    for (const node of all(".mark[data-arms]")) {
      const whose = node.dataset.arms.split(" ").filter(Boolean);
      node.classList.toggle("off", whose.length > 0 && !whose.some((arm) => shown.has(arm)));
    }
    const every = new Set(Object.values(arms).map((arm) => arm.pair));
    document.getElementById("count").textContent = `${pairs.size} of ${every.size} pairs`;
  };
  if (form) {
    const asked = new URLSearchParams(location.search);
    for (const select of all("select", form)) {
      const level = asked.get(select.name);
      if ([...select.options].some((option) => option.value === level)) select.value = level;
    }
    const remember = () => {
      const query = new URLSearchParams(chosen()).toString();
      try { history.replaceState(null, "", `${location.pathname}${query ? "?" + query : ""}${location.hash}`); } catch { /* not from here */ }
    };
    form.addEventListener("change", () => { apply(); remember(); });
    form.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
  // A link to something that is filtered away shows it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (form && target.closest("[hidden]")) { form.reset(); apply(); }
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Sorting: numbers by their exact value, rows without one last.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell?.dataset.sort !== undefined) return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
    const text = cell?.textContent.trim() ?? "";
    const number = Number(text.replaceAll(",", "").replace(/[^0-9.eE+-].*$/, ""));
    return text !== "" && /^[\d.,]+(\D|$)/.test(text) && Number.isFinite(number) ? number : text;
  };
  for (const table of all("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
      rows.sort(([x], [y]) => {
        if (x === null || y === null) return (x === null) - (y === null);
        const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows.map(([, row]) => row));
    }));
  }

  // Exact values: of marks in charts and of numbers in tables, by pointer or by keyboard.
  const tip = document.getElementById("tip");
  const exactly = (node) => {
    const { value, low, high, blocks } = node.dataset;
    const round = (text) => Number(Number(text).toPrecision(7)).toString();
    const interval = low && high ? `, 95 % interval ${round(low)} to ${round(high)}` : ", no interval";
    return `exactly ${round(value)}${interval}${blocks > 0 ? `, ${blocks} blocks` : ""}`;
  };
  const show = (node, x, y) => {
    const lines = [node.dataset.tip ?? node.getAttribute("aria-label"), node.dataset.value && exactly(node)];
    tip.textContent = lines.filter(Boolean).join("\n");
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
  };
  const hide = () => { tip.hidden = true; };
  const pointed = (event) => event.target.closest?.(".mark, .exact, [data-tip]");
  document.addEventListener("pointermove", (event) => {
    const node = pointed(event);
    if (node) show(node, event.clientX, event.clientY); else hide();
  });
  document.addEventListener("focusin", (event) => {
    const node = pointed(event);
    if (!node) return hide();
    const box = node.getBoundingClientRect();
    show(node, box.left + box.width / 2, box.bottom - 10);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", hide, { passive: true });

  // A chart is one stop of the keyboard; arrows go through its marks.
  for (const chart of all(".scroll:has(.mark)")) {
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const marks = all(".mark", chart);
      const here = marks.indexOf(document.activeElement);
      marks[(here + step + marks.length + (here < 0 && step < 0 ? 1 : 0)) % marks.length].focus();
      event.preventDefault();
    });
  }

  // On paper every table is open.
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); for (const node of closed) node.open = true; });
  addEventListener("afterprint", () => { for (const node of closed) node.open = false; });

  // The index: runs to compare.
  const picks = all("input[name=pick]");
  const answer = document.getElementById("compare");
  const pages = JSON.parse(document.getElementById("pages")?.textContent ?? "{}");
  const compare = () => {
    const now = picks.filter((pick) => pick.checked).map((pick) => pick.value).reverse();
    const command = answer.querySelector("code"), link = answer.querySelector("a");
    answer.querySelector("p").hidden = now.length > 1;
    command.parentElement.hidden = now.length < 2;
    command.textContent = now.length > 1 ? `gatebench compare ${now.join(" ")}` : "";
    const page = pages[now.join(" ")];
    link.hidden = !page;
    if (page) link.href = page;
  };
  for (const pick of picks) pick.addEventListener("change", compare);
})();
