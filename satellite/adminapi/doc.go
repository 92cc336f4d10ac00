// Package adminapi is the native REST API for automation, /api/v2, described
// by the OpenAPI document that it serves itself.
//
// It has two doors with the same routes behind them: the local socket, where
// whoever may open it is the System Admin "local:<uid>", and HTTPS, where an
// access token or a session of the console is asked for. Neither door decides what may be done:
// Service asks the one table of permissions.
//
// routes.go shows the whole surface; each noun has a file with its JSON shape,
// which the command line decodes into as well, and its handlers.
package adminapi
