(function () {
  "use strict";
  var all = function (selector, within) { return Array.from((within || document).querySelectorAll(selector)); };
  document.documentElement.classList.add("js");

  all("[data-language]").forEach(function (link) {
    link.addEventListener("click", function () {
      try { localStorage.setItem("kefu.language", link.dataset.language); } catch (error) { /* the link works without */ }
    });
  });

  var selects = all("select[data-filter]");
  function applyFilters() {
    selects.forEach(function (select) {
      all("[data-is-" + select.dataset.filter + "]").forEach(function (element) {
        element.toggleAttribute("hidden", selects.some(function (other) {
          var own = element.getAttribute("data-is-" + other.dataset.filter);
          return other.value !== "" && own !== null && own !== other.value;
        }));
      });
    });
  }
  selects.forEach(function (select) { select.addEventListener("change", applyFilters); });
  applyFilters();

  // Rows without a value stay at the end whichever way a column is sorted.
  function sortBy(table, index, direction) {
    var body = table.tBodies[0];
    all(":scope > tr", body).map(function (row) {
      var key = row.cells[index].dataset.sort;
      if (index === 0 && key === undefined) { key = row.cells[0].textContent.trim(); }
      return { row: row, key: key, number: Number(key) };
    }).sort(function (a, b) {
      if (a.key === undefined || b.key === undefined) { return (a.key === undefined) - (b.key === undefined); }
      var order = isNaN(a.number) || isNaN(b.number) ? a.key.localeCompare(b.key) : a.number - b.number;
      return direction * order;
    }).forEach(function (entry) { body.appendChild(entry.row); });
  }
  all("table[data-sortable]").forEach(function (table) {
    all("thead th", table).forEach(function (head, index) {
      var button = document.createElement("button");
      button.type = "button"; button.className = "sort"; button.textContent = "↕";
      button.setAttribute("aria-label", document.body.dataset.sort);
      button.addEventListener("click", function () {
        var direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        all("thead th", table).forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        sortBy(table, index, direction);
      });
      var name = head.querySelector(".name");
      if (name) { name.after(button); } else { head.appendChild(button); }
    });
  });

  all(".info").forEach(function (button) {
    var tip = document.getElementById(button.getAttribute("popovertarget"));
    if (!tip || !tip.showPopover) { return; }
    tip.addEventListener("toggle", function (event) {
      if (event.newState !== "open") { return; }
      var place = button.getBoundingClientRect();
      tip.style.margin = "0";
      tip.style.left = Math.max(8, Math.min(place.left - 12, innerWidth - tip.offsetWidth - 8)) + "px";
      tip.style.top = Math.max(8, Math.min(place.bottom + 8, innerHeight - tip.offsetHeight - 8)) + "px";
    });
  });

  addEventListener("beforeprint", function () { all("tr.detail details").forEach(function (one) { one.open = true; }); });
}());
