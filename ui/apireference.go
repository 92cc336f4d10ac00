package ui

// showAPIReference is the page that renders the description of the API, and tries its
// calls with the session of the visitor or with a token that he pastes.
func showAPIReference(r *request) error { return r.show("api-reference", r.t("reference.title"), nil) }
