package satellite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"ssm/satellite/wire"
)

// SyncPhase is what a synchronization does at present.
type SyncPhase string

// The phases, in their order.
const (
	SyncPreparing SyncPhase = "preparing"
	SyncSending   SyncPhase = "sending"
	SyncWaiting   SyncPhase = "waiting" // for the upstream
	SyncReceiving SyncPhase = "receiving"
	SyncApplying  SyncPhase = "applying"
)

// SyncProgress is where a synchronization stands.
type SyncProgress struct {
	Round int // 2 where the upstream has asked for everything
	Phase SyncPhase
	Done  int64 // bytes
	Total int64 // bytes; 0: not known
}

const (
	maxSyncRounds       = 2 // a second full request says nothing that the first did not
	maxRegistrationCode = 64
)

// Synchronize settles an account with its upstream over the network: it makes a
// request, exchanges it, and applies the response, by the same code and the same
// bytes as by file. Where the upstream asks for a full request, that follows at once.
//
// A request whose answer never came is superseded by the next one, not sent
// again: the next one says everything since what the upstream last confirmed, so
// nothing is lost and nothing counted twice, and what is settled is how things
// stand now. Within one call every step is resumed.
//
// progress is called from this goroutine, first when nothing stands in the way
// of a beginning. KindConflict where an exchange of the account goes on already,
// no upstream is set, or a registration has no code; KindUnavailable where the
// upstream cannot be reached or gave no answer in time; KindConflict where it
// refuses or its TLS is not trusted; and the errors of ApplySyncResponse. After
// an error no license and no device has changed; it stands in the history.
func (s *Service) Synchronize(ctx context.Context, actor Actor, accountID AccountID, options SyncOptions, progress func(SyncProgress)) (result SyncResult, err error) {
	if err := actor.mayIn(ActionSynchronize, accountID, 0); err != nil {
		return result, err
	}
	if _, busy := s.online.LoadOrStore(accountID, true); busy {
		return result, fail(KindConflict, "sync-running", "This account is being synchronized at this moment. Nothing was begun.").
			hint("Wait for its end: `satellite sync history` shows it then.")
	}
	defer s.online.Delete(accountID)
	settings, err := s.mayGoOnline(ctx, accountID, options)
	if err != nil {
		return result, err
	}
	for round := 1; round <= maxSyncRounds; round++ {
		x := &onlineExchange{service: s, actor: actor, settings: settings, options: options, account: accountID,
			progress: func(p SyncProgress) { p.Round = round; progress(p) }}
		before := result
		result, err = x.run(ctx)
		// What the first response did and noticed, the second one does not repeat.
		result.Registered = result.Registered || before.Registered
		result.Lineage = cmp.Or(result.Lineage, before.Lineage)
		if err != nil || !result.FullRequested {
			return result, err
		}
		options.Full = true
	}
	return result, nil
}

// mayGoOnline says what would make an exchange fail, before a request is made.
func (s *Service) mayGoOnline(ctx context.Context, accountID AccountID, options SyncOptions) (settings UpstreamSettings, err error) {
	if len(options.Code) > maxRegistrationCode || strings.Trim(strings.ToUpper(options.Code), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789- ") != "" {
		return settings, fail(KindInvalid, "registration-code-invalid", "A registration code has up to %d letters, digits and hyphens. Nothing was begun.", maxRegistrationCode)
	}
	settings, err = s.upstreamSettings(ctx)
	if isNotFound(err) || err == nil && s.upstream == nil {
		return settings, errOffline()
	}
	if err != nil {
		return settings, err
	}
	return settings, s.store.View(ctx, func(tx Tx) error {
		account, err := tx.Account(accountID)
		if err != nil {
			return err
		}
		if err := account.approved("No request was made."); err != nil {
			return err
		}
		if !account.Registered() && options.Code == "" {
			return fail(KindConflict, "registration-code-missing", "Account %q is not registered upstream yet, and over the network that takes a registration code. No request was made.", account.Name).
				hint("Get one from the operator of the upstream, who makes it with `ssm account code`, and use it with `satellite sync now --code CODE`.")
		}
		return nil
	})
}

// onlineExchange is one request on its way to the upstream and back.
type onlineExchange struct {
	service  *Service
	actor    Actor
	settings UpstreamSettings
	options  SyncOptions
	account  AccountID
	progress func(SyncProgress)
	history  SyncExchange
}

func (x *onlineExchange) run(ctx context.Context) (result SyncResult, err error) {
	s := x.service
	x.history = SyncExchange{AccountID: x.account, Carrier: CarrierOnline, StartedAt: s.Now(), By: x.actor.Name}
	defer func() {
		if err == nil {
			return
		}
		if unkept := x.failed(ctx, err); unkept != nil {
			err = errors.Join(err, unkept)
		}
	}()
	x.progress(SyncProgress{Phase: SyncPreparing})
	request, err := s.temporary("request-*" + wire.RequestExtension)
	if err != nil {
		return result, err
	}
	defer func() { _ = request.Close() }()
	row, err := s.WriteSyncRequest(ctx, x.actor, x.account, x.options.Full, request)
	if err != nil {
		return result, err
	}
	x.history.Sequence, x.history.Scope, x.history.Records = row.Sequence, row.Scope, row.Records
	info, err := request.Stat()
	if err != nil {
		return result, err
	}
	x.history.Sent = info.Size()
	response, err := s.temporary("response-*" + wire.ResponseExtension)
	if err != nil {
		return result, err
	}
	defer func() { _ = response.Close() }()
	document := UpstreamRequest{Digest: row.Digest, File: request, Size: info.Size()}
	if row.Scope == wire.ScopeRegistration {
		document.Code = x.options.Code
	}
	size, err := s.upstream.Exchange(ctx, x.settings, document, response, x.progress)
	if err != nil {
		return result, x.problem(err)
	}
	x.history.Received = size
	x.progress(SyncProgress{Phase: SyncApplying})
	options := x.options
	options.online = &x.history
	return s.ApplySyncResponse(ctx, x.actor, response, size, options)
}

// temporary is a file without a name: it is gone when it is closed, and after a
// crash, too.
func (s *Service) temporary(pattern string) (*os.File, error) {
	file, err := os.CreateTemp(s.options.TemporaryFolder, pattern)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// problem gives the errors of the carrier a Kind.
func (x *onlineExchange) problem(err error) error {
	var failure *UpstreamError
	if !errors.As(err, &failure) {
		return err
	}
	reason := strings.TrimSuffix(clipRunes(failure.Reason, maxExchangeReason), ".")
	switch failure.Failure {
	case UpstreamUntrusted:
		shown := ""
		if failure.Fingerprint != "" {
			shown = fmt.Sprintf(" It shows a certificate with the SHA-256 fingerprint %s, issued by %s.", failure.Fingerprint, failure.Issuer)
		}
		return fail(KindConflict, "upstream-untrusted", "The upstream at %s is not trusted: %s.%s Nothing was sent, no license was changed.", x.settings.URL, reason, shown).
			hint("If it is the right one, set what vouches for it: `satellite upstream set --url %s --ca FILE`, where FILE is ca.pem of its data folder.", x.settings.URL)
	case UpstreamRefused:
		return fail(KindConflict, "upstream-refused", "The upstream refused request %d: %s. No license was changed here.", x.history.Sequence, reason)
	case UpstreamUnreachable:
		return fail(KindUnavailable, "upstream-unreachable", "The upstream at %s cannot be reached: %s. No license was changed.", x.settings.URL, reason).
			hint("Look at network, proxy and address (`satellite upstream show`), and try again; until then files can be exchanged.")
	}
	return fail(KindUnavailable, "upstream-gave-up", "The exchange with the upstream at %s was given up: %s. No license was changed here.", x.settings.URL, reason).
		hint("Try again: the next request says all that this one said.")
}
