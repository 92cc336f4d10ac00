// Package web is the floor that all HTTP faces share: how echo is set up, which
// status an error has, how errors read on the wire, the bounds of a request,
// and the server with its time-outs.
package web
