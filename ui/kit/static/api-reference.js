// Draws the description of an API into #api-reference, from this host alone.
(() => {
  "use strict";
  const place = document.getElementById("api-reference");
  const root = document.documentElement;

  // The renderer has a dark theme of its own, under a class of its own.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const followTheme = () => {
    const theme = root.getAttribute("data-bs-theme") || (dark.matches ? "dark" : "light");
    root.classList.toggle("dark-mode", theme === "dark");
  };
  followTheme();
  dark.addEventListener("change", followTheme);
  document.addEventListener("kit:theme", followTheme);

  // The browser sends the cookie of the session by itself and lets no page set
  // one, so a field for it would do nothing.
  const withoutCookies = (description) => {
    const schemes = description.components?.securitySchemes || {};
    for (const [name, scheme] of Object.entries(schemes)) {
      if (scheme.in === "cookie") delete schemes[name];
    }
    const known = (needs) => Object.keys(needs).every((name) => name in schemes);
    const clean = (of) => { if (of.security) of.security = of.security.filter(known); };
    clean(description);
    for (const path of Object.values(description.paths || {})) {
      for (const operation of Object.values(path)) clean(operation);
    }
    return description;
  };

  // A call goes with the session, whose token a write must carry; or, once a
  // token was entered, as its client alone, without the session.
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  const enter = (request) => {
    if (new URL(request.url, location.href).origin !== location.origin) throw new Error("not this host: " + request.url);
    const bearer = Object.keys(request.headers).some((name) => name.toLowerCase() === "authorization");
    request.credentials = bearer ? "omit" : "same-origin";
    if (!bearer && request.method !== "GET" && request.method !== "HEAD") request.headers["X-CSRF-Token"] = csrf;
    return request;
  };

  const draw = (description) => {
    place.textContent = "";
    window.SwaggerUIBundle({
      domNode: place,
      spec: withoutCookies(description),
      requestInterceptor: enter,
      // The command line that is shown must not hold the token of the session.
      showMutatedRequest: false,
      validatorUrl: null, // else it asks a host of its makers
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      deepLinking: true,
      filter: true,
      tagsSorter: "alpha",
      displayRequestDuration: true,
      persistAuthorization: false,
    });
  };

  place.textContent = "";
  fetch(place.dataset.address, { credentials: "same-origin" })
    .then((answer) => answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText)))
    .then(draw)
    .catch(() => {
      place.setAttribute("role", "alert");
      place.textContent = place.dataset.failed;
    });
})();
