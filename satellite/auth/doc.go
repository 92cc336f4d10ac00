// Package auth is who may come in: registration tokens (the only package that
// knows JSON web tokens), passwords, the sessions of the console and the
// throttle before its sign-in.
package auth
