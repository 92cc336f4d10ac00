// Package agent is the device side: it registers a product instance with a
// satellite, asks for licenses, renews, and gives everything back. What it
// knows lives in a state folder, so that each call goes on where the last one
// ended, even if that one ended with a power failure. A Go program can embed it:
//
//	device, err := agent.Open(agent.Options{Folder: "state", URL: url, Bundle: pem, Now: time.Now})
//	...
//	defer device.Close()
//	err = device.Register(ctx, token, false)
//	err = device.Request(ctx, "tag", 1)
//	next, err := device.RenewDue(ctx)
//
// docs/embedding.md has the whole program.
//
// The laws it keeps:
//
//   - A reply changes something only if it is signed under the pinned licensing
//     root and answers exactly this question of exactly this device.
//   - The pinned root comes from the operator, never from a reply.
//   - Before anything is sent, what a repeat needs is on disk: a reply that got
//     lost costs nothing but the repeat.
//   - What is used without a registration is counted as evaluation, and what was
//     counted is never taken back.
//
// The package also holds the fleet, which plays many devices at once to measure
// a satellite.
package agent

// Version is the version of the agent, as it introduces itself.
const Version = "1.0"
