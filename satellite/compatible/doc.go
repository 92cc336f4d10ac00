// Package compatible is the REST API in the shape that licensing scripts in the
// field already speak: their paths, their fields, their quirks. It is a thin
// face: each call asks satellite.Service with the actor of its bearer token, and
// no permission is decided here.
//
// What a client may count on: an answer is compact JSON, every field is always
// there, and an error is {"status":"ERROR","statusMessage":"..."} whatever went
// wrong. A list that was cut is never taken for a whole one: the connection
// breaks instead.
package compatible
