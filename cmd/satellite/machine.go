package main

import "time"

// machine is the clock of this machine: the one place where the server asks for
// the time. The service guards it (see satellite.Clock); whatever the server
// judges by a time takes that from the service.
type machine struct {
	begin  time.Time
	travel travel
}

func newMachine() *machine { return &machine{begin: time.Now()} }

// Now is the system's clock.
func (m *machine) Now() time.Time { return time.Now().Add(m.travel.by()) }

// Monotonic is the time since the program began, whoever sets the clock meanwhile.
func (m *machine) Monotonic() time.Duration { return time.Since(m.begin) + m.travel.by() }

// steady is a clock for what only waits: setting the system's clock makes no
// wait longer or shorter.
func (m *machine) steady() time.Time { return m.begin.Add(m.Monotonic()) }
