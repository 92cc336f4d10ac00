package auth

import (
	"sync"

	"ssm/satellite"
)

// maxAnonymous bounds the sessions of people who are not signed in, at about
// 300 bytes each.
const maxAnonymous = 10_000

// anonymousSessions are kept in memory only: whoever asks for a page gets one,
// and strangers must not be able to fill the database. The oldest make room; a
// restart forgets all, which costs a stranger a reload of his form.
type anonymousSessions struct {
	mutex sync.Mutex
	byKey map[string]satellite.Session
	order []string // keys as they came, from next on the oldest
	next  int
}

func newAnonymousSessions() *anonymousSessions {
	return &anonymousSessions{byKey: map[string]satellite.Session{}}
}

func (a *anonymousSessions) find(key string) (satellite.Session, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	session, found := a.byKey[key]
	return session, found
}

func (a *anonymousSessions) keep(session satellite.Session) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if _, known := a.byKey[session.Key]; !known {
		if len(a.order) < maxAnonymous {
			a.order = append(a.order, session.Key)
		} else {
			delete(a.byKey, a.order[a.next])
			a.order[a.next] = session.Key
			a.next = (a.next + 1) % maxAnonymous
		}
	}
	a.byKey[session.Key] = session
}

func (a *anonymousSessions) drop(key string) (found bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	_, found = a.byKey[key]
	delete(a.byKey, key)
	return found
}
