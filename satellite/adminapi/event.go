package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Event is one change of state.
type Event struct {
	Node           string    `json:"node" doc:"Events of one node are numbered without gaps."`
	Number         int64     `json:"number"`
	At             time.Time `json:"at"`
	Type           string    `json:"type"`
	Message        string    `json:"message"`
	Actor          string    `json:"actor"`
	Source         string    `json:"source" doc:"Network address, or local."`
	Account        string    `json:"account" doc:"Empty where the event is of the satellite itself, like the two below."`
	VirtualAccount string    `json:"virtual_account"`
	PIID           string    `json:"piid"`
}

func eventOf(d directory) func(satellite.Event) Event {
	return func(e satellite.Event) Event {
		return Event{
			Node: e.Node, Number: e.Number, At: e.At.UTC(), Type: string(e.Type), Message: e.Message, Actor: e.Actor, Source: e.Source,
			Account: d.accounts[e.AccountID], VirtualAccount: e.VirtualAccount, PIID: e.PIID,
		}
	}
}

type listEventsInput struct {
	Paging
	Account string `query:"account" maxLength:"255" doc:"Only of this account."`
	PIID    string `query:"piid" maxLength:"64" doc:"Only of this device."`
	Type    string `query:"type" maxLength:"64" doc:"Only of this type."`
}

func (a *api) listEvents(ctx context.Context, in *listEventsInput) (*output[List[Event]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, err := a.accountFilter(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	events, err := a.service.Events(ctx, actor(ctx), satellite.EventFilter{AccountID: account, PIID: in.PIID, Type: satellite.EventType(in.Type)}, page)
	if err != nil {
		return nil, err
	}
	d, err := a.directoryOf(ctx)
	return answer(paged(events, in.Limit, eventOf(d), func(e satellite.Event) int64 { return e.Number }), err)
}

type pruneEventsInput struct {
	Body struct {
		Before time.Time `json:"before" doc:"Events older than this are dropped."`
	}
}

// Pruned is what pruning has dropped.
type Pruned struct {
	Dropped int64 `json:"dropped"`
}

func (a *api) pruneEvents(ctx context.Context, in *pruneEventsInput) (*output[Pruned], error) {
	dropped, err := a.service.PruneEvents(ctx, actor(ctx), in.Body.Before)
	return answer(Pruned{Dropped: dropped}, err)
}
