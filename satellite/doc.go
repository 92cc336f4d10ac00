// Package satellite is the domain: the nouns of on-prem software licensing,
// their rules, and Service with the use cases.
//
// Rules are methods on values, without context and store. A use case loads,
// calls the rule, saves, and records the event of it, all in one transaction
// and at one instant. The package knows no SQL, no HTTP and no X.509: it
// declares the ports that it needs in store.go and ports.go.
package satellite
