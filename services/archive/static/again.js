// Loads the page again after the seconds that `data-again` says, unless somebody is reading closely or filling in.
"use strict";
{
  const seconds = Number(document.currentScript.dataset.again);
  const busy = () =>
    document.hidden || String(getSelection()) !== "" || document.activeElement?.closest("form") != null;
  const look = () => (busy() ? setTimeout(look, 1000) : location.reload());
  setTimeout(look, seconds * 1000);
}
