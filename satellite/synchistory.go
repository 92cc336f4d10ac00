package satellite

import (
	"context"
	"errors"
	"time"

	"ssm/satellite/wire"
)

// Carrier is the way that an exchange went.
type Carrier string

// The carriers.
const (
	CarrierOnline Carrier = "online"
	CarrierFile   Carrier = "file"
)

// ExchangeOutcome is what came of an exchange.
type ExchangeOutcome string

// The outcomes.
const (
	ExchangeApplied       ExchangeOutcome = "applied"
	ExchangeFullRequested ExchangeOutcome = "full-requested" // the response was applied, and asks for everything
	ExchangeFailed        ExchangeOutcome = "failed"
)

// SyncExchange is a row of the history of an account: a response that was
// applied, or an exchange over the network that failed. What fails by file
// changes nothing, not even the history.
type SyncExchange struct {
	ID        int64
	AccountID AccountID
	Carrier   Carrier
	Sequence  int64 // of the request; 0 where none was made
	Scope     wire.Scope
	Records   int64 // in the request
	Sent      int64 // bytes of the request; 0 by file
	Received  int64 // bytes of the response
	StartedAt time.Time
	EndedAt   time.Time
	By        string
	Outcome   ExchangeOutcome
	Reason    string // why it failed, or why everything is asked for
}

const (
	keptExchanges     = 1000 // of an account: three years of daily ones
	maxExchangeReason = 1000 // characters
)

// history begins the row of a response that is about to be applied.
func (o SyncOptions) history(actor Actor, size int64) SyncExchange {
	if o.online != nil {
		return *o.online
	}
	return SyncExchange{Carrier: CarrierFile, Received: size, By: actor.Name}
}

// applied completes the row in the transaction that applies the response.
func (x SyncExchange) applied(r *response) SyncExchange {
	x.AccountID, x.EndedAt = r.account.ID, r.now
	x.Sequence, x.Scope, x.Records = r.request.Sequence, r.request.Scope, r.request.Records
	if x.StartedAt.IsZero() {
		x.StartedAt = r.request.CreatedAt
	}
	x.Outcome = ExchangeApplied
	if r.manifest.Response.FullRequested {
		x.Outcome, x.Reason = ExchangeFullRequested, clipRunes(r.manifest.Response.Reason, maxExchangeReason)
	}
	return x
}

// failed puts an exchange that failed into the history, also one that was
// interrupted.
func (x *onlineExchange) failed(ctx context.Context, problem error) error {
	row := x.history
	row.EndedAt, row.Outcome, row.Reason = x.service.Now(), ExchangeFailed, exchangeReason(problem)
	return x.service.store.Update(context.WithoutCancel(ctx), func(tx Tx) error { return tx.AddSyncExchange(row, keptExchanges) })
}

// exchangeReason is why an exchange failed, for people.
func exchangeReason(problem error) string {
	var own *Error
	switch {
	case errors.As(problem, &own) && own.Kind != KindInternal:
		return clipRunes(own.Message, maxExchangeReason)
	case errors.Is(problem, context.Canceled):
		return "It was interrupted."
	}
	return "Something failed inside the satellite, whose log says what."
}

// SyncHistory lists the exchanges of an account, newest first. It is about the
// account as a whole, so a role in one of its virtual accounts does not show it:
// KindForbidden.
func (s *Service) SyncHistory(ctx context.Context, actor Actor, accountID AccountID, page Page) (list []SyncExchange, err error) {
	if err := actor.mayIn(ActionRead, accountID, 0); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list, err = tx.SyncExchanges(accountID, page.bounded())
		return err
	})
	return list, err
}
