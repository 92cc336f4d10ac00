package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"ssm/satellite"
	"ssm/satellite/web"
)

// NewSynchronization is what begins a synchronization over the network.
type NewSynchronization struct {
	Full bool   `json:"full,omitempty" doc:"Everything, not only what changed."`
	Code string `json:"code,omitempty" maxLength:"64" doc:"Registration code of the upstream's operator, for an account that is not registered upstream yet."`
}

type synchronizeInput struct {
	AccountPath
	Body NewSynchronization
}

// SyncLine is one line of the answer: how far it is, and at the end what came of
// it, as result or as problem.
type SyncLine struct {
	Progress *SyncProgress `json:"progress,omitempty"`
	Result   *SyncResult   `json:"result,omitempty"`
	Problem  *web.Problem  `json:"problem,omitempty"`
}

// SyncProgress is where a synchronization stands.
type SyncProgress struct {
	Round int    `json:"round" doc:"2 where the upstream has asked for everything."`
	Phase string `json:"phase" enum:"preparing,sending,waiting,receiving,applying"`
	Done  int64  `json:"done" doc:"Bytes."`
	Total int64  `json:"total" doc:"Bytes; 0 where it is not known."`
}

// linesType is a stream of JSON objects, one on a line.
const linesType = "application/x-ndjson"

// answersLines describes the answer.
func answersLines(op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "One JSON object on a line: {\"progress\":…} while it goes on, at the end {\"result\":…} or {\"problem\":…}. It ends with the request that waits for it.",
		Content:     map[string]*huma.MediaType{linesType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
}

type syncLines struct {
	ContentType string `header:"Content-Type"`
	Body        func(huma.Context)
}

// synchronize answers line by line. What stands in the way of a beginning is an
// error like any other; what fails later is the last line. The exchange ends
// with the request: who goes away interrupts it.
func (a *api) synchronize(ctx context.Context, in *synchronizeInput) (*syncLines, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	progress, ended := make(chan satellite.SyncProgress), make(chan struct{})
	var result satellite.SyncResult
	go func() {
		defer close(ended)
		result, err = a.service.Synchronize(ctx, actor(ctx), account.ID, satellite.SyncOptions{Full: in.Body.Full, Code: in.Body.Code}, func(p satellite.SyncProgress) {
			select {
			case progress <- p:
			case <-ctx.Done():
			}
		})
	}()
	var first satellite.SyncProgress
	select {
	case first = <-progress:
	case <-ended:
		return nil, err
	}
	return &syncLines{ContentType: linesType, Body: func(out huma.Context) {
		w := newLineWriter(out)
		w.progress(first)
		for {
			select {
			case p := <-progress:
				w.progress(p)
				continue
			case <-ended:
			}
			break
		}
		w.end(result, err)
	}}, nil
}

// lineWriter writes lines, each at once.
type lineWriter struct {
	out  huma.Context
	flow *http.ResponseController
}

// newLineWriter lets the request take its time: the exchange has bounds of its own.
func newLineWriter(out huma.Context) *lineWriter {
	flow := http.NewResponseController(humaecho.Unwrap(out).Response())
	// Where the connection has no deadlines there are none to lift.
	_ = flow.SetReadDeadline(time.Time{})
	_ = flow.SetWriteDeadline(time.Time{})
	return &lineWriter{out, flow}
}

func (w *lineWriter) write(l SyncLine) {
	// An error means that the client has gone, which ends the exchange.
	_ = json.NewEncoder(w.out.BodyWriter()).Encode(l)
	_ = w.flow.Flush()
}

func (w *lineWriter) progress(p satellite.SyncProgress) {
	w.write(SyncLine{Progress: &SyncProgress{Round: p.Round, Phase: string(p.Phase), Done: p.Done, Total: p.Total}})
}

func (w *lineWriter) end(r satellite.SyncResult, err error) {
	if err != nil {
		c := humaecho.Unwrap(w.out)
		p := web.ProblemOf(err, web.RequestID(c))
		web.LogInternal(c, err, p.Status)
		w.write(SyncLine{Problem: &p})
		return
	}
	result := syncResultOf(r)
	w.write(SyncLine{Result: &result})
}

// SyncExchange is what came of an exchange.
type SyncExchange struct {
	Carrier   string     `json:"carrier" enum:"online,file"`
	Sequence  int64      `json:"sequence" doc:"Of the request; 0 where none was made."`
	Scope     string     `json:"scope"`
	Records   int64      `json:"records" doc:"In the request."`
	Sent      int64      `json:"sent" doc:"Bytes of the request; 0 by file."`
	Received  int64      `json:"received" doc:"Bytes of the response."`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	By        string     `json:"by"`
	Outcome   string     `json:"outcome" enum:"applied,full-requested,failed"`
	Reason    string     `json:"reason" doc:"Why it failed, or why the upstream asks for everything."`
}

func syncExchangeOf(e satellite.SyncExchange) SyncExchange {
	return SyncExchange{
		Carrier: string(e.Carrier), Sequence: e.Sequence, Scope: string(e.Scope), Records: e.Records, Sent: e.Sent, Received: e.Received,
		StartedAt: e.StartedAt.UTC(), EndedAt: instant(e.EndedAt), By: e.By, Outcome: string(e.Outcome), Reason: e.Reason,
	}
}

type listSyncExchangesInput struct {
	AccountPath
	Paging
}

func (a *api) listSyncExchanges(ctx context.Context, in *listSyncExchangesInput) (*output[List[SyncExchange]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	rows, err := a.service.SyncHistory(ctx, actor(ctx), account.ID, page)
	return answer(paged(rows, page.Limit, syncExchangeOf, func(e satellite.SyncExchange) int64 { return e.ID }), err)
}
