package adminapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/sync/offline"
)

// SyncState is where an account stands with its upstream.
type SyncState struct {
	Account         string        `json:"account"`
	NextSequence    int64         `json:"next_sequence" doc:"Of the next request, from 1."`
	AppliedSequence int64         `json:"applied_sequence" doc:"Of the last response that was applied; 0 before the first."`
	LastSyncAt      *time.Time    `json:"last_sync_at"`
	Deadline        *time.Time    `json:"deadline" doc:"When the upstream takes the licenses back unless it hears again."`
	FullRequired    bool          `json:"full_required" doc:"The upstream asked for everything."`
	Reason          string        `json:"reason" doc:"Why it did."`
	Schedule        SyncSchedule  `json:"schedule"`
	Requests        []SyncRequest `json:"requests" doc:"The last ten, newest first."`
}

// SyncRequest is a request on record.
type SyncRequest struct {
	Sequence  int64      `json:"sequence"`
	Scope     string     `json:"scope" enum:"registration,standard,full"`
	Records   int64      `json:"records"`
	Digest    string     `json:"digest" doc:"SHA-256 of the manifest, hexadecimal."`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	AppliedAt *time.Time `json:"applied_at" doc:"When its response was applied."`
}

func syncStateOf(s satellite.SyncStatus) SyncState {
	return SyncState{
		Account: s.Account.Name, NextSequence: s.State.NextSequence, AppliedSequence: s.State.AppliedSequence,
		LastSyncAt: instant(s.State.LastSyncAt), Deadline: instant(s.State.Deadline),
		FullRequired: s.State.FullRequired, Reason: s.State.Reason, Schedule: syncScheduleOf(s.Account.Name, s.Schedule), Requests: whole(s.Requests, syncRequestOf).Items,
	}
}

func syncRequestOf(r satellite.SyncRequestRow) SyncRequest {
	return SyncRequest{
		Sequence: r.Sequence, Scope: string(r.Scope), Records: r.Records, Digest: r.Digest,
		CreatedAt: r.CreatedAt.UTC(), CreatedBy: r.CreatedBy, AppliedAt: instant(r.AppliedAt),
	}
}

func (a *api) listSyncStates(ctx context.Context, _ *struct{}) (*output[List[SyncState]], error) {
	statuses, err := a.service.SyncStatuses(ctx, actor(ctx))
	return answer(whole(statuses, syncStateOf), err)
}

// NewSyncRequest is what makes a sync request.
type NewSyncRequest struct {
	Full bool `json:"full,omitempty" doc:"Everything, not only what changed."`
}

type newSyncRequestInput struct {
	AccountPath
	Body NewSyncRequest
}

// syncRequestFile is the request itself, with its facts in the headers.
type syncRequestFile struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	ContentLength      int64  `header:"Content-Length"`
	Sequence           int64  `header:"Sync-Sequence"` // SyncRequestFacts reads these
	Scope              string `header:"Sync-Scope"`
	Records            int64  `header:"Sync-Records"`
	Digest             string `header:"Sync-Digest"`
	Body               func(huma.Context)
}

// createSyncRequest keeps the document on the disk until it is sent: its facts,
// which stand before it, are known when it is complete.
func (a *api) createSyncRequest(ctx context.Context, in *newSyncRequestInput) (*syncRequestFile, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	document, err := os.CreateTemp(a.temporaryFolder, "download-*")
	if err != nil {
		return nil, err
	}
	// Without a name it is gone when it is closed, and after a crash, too.
	err = os.Remove(document.Name())
	var row satellite.SyncRequestRow
	if err == nil {
		row, err = a.service.WriteSyncRequest(ctx, actor(ctx), account.ID, in.Body.Full, document)
	}
	size, seekErr := document.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, seekErr); err != nil {
		_ = document.Close()
		return nil, err
	}
	return &syncRequestFile{
		ContentType:        wire.RequestMediaType,
		ContentDisposition: attachment(fmt.Sprintf("sync-request-%d%s", row.Sequence, wire.RequestExtension)),
		ContentLength:      size,
		Sequence:           row.Sequence, Scope: string(row.Scope), Records: row.Records, Digest: row.Digest,
		Body: func(out huma.Context) {
			// What breaks off is shorter than its length says, so the client notices.
			_, _ = io.Copy(out.BodyWriter(), io.NewSectionReader(document, 0, size))
			_ = document.Close()
		},
	}, nil
}

// SyncResult is what applying a response did.
type SyncResult struct {
	Account          string     `json:"account"`
	Sequence         int64      `json:"sequence"`
	AlreadyApplied   bool       `json:"already_applied"`
	Registered       bool       `json:"registered" doc:"The upstream vouches for the account since this response."`
	Lots             int        `json:"lots"`
	Acknowledgements int        `json:"acknowledgements"`
	FullRequested    bool       `json:"full_requested"`
	Reason           string     `json:"reason"`
	Lineage          string     `json:"lineage" doc:"What the upstream noticed about where this satellite comes from: \"restored\" from an older copy, or \"duplicated\": a copy of it sends, too."`
	Recovered        int        `json:"recovered" doc:"Devices that came back from the upstream."`
	Revoked          int        `json:"revoked" doc:"Devices that were here again although they had been removed."`
	Deadline         *time.Time `json:"deadline"`
}

// syncResponseInput is a response with what the administrator says of it.
type syncResponseInput struct {
	upload
	AcceptTime bool `query:"accept_time" doc:"The time of the response is right, although it is more than a day ahead of the clock of the system."`
}

func (a *api) applySyncResponse(ctx context.Context, in *syncResponseInput) (*output[SyncResult], error) {
	options := satellite.SyncOptions{AcceptTime: in.AcceptTime}
	if !actor(ctx).MaySomewhere(satellite.ActionSynchronize, 0) {
		// Service refuses in its own words, before gigabytes are taken in.
		_, err := a.service.ApplySyncResponse(ctx, actor(ctx), bytes.NewReader(nil), 0, options)
		return nil, err
	}
	spooled, size, err := a.spool(in.upload, wire.MaxContainer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = spooled.Close() }()
	r, err := a.service.ApplySyncResponse(ctx, actor(ctx), spooled, size, options)
	return answer(syncResultOf(r), err)
}

func syncResultOf(r satellite.SyncResult) SyncResult {
	return SyncResult{
		Account: r.Account.Name, Sequence: r.Sequence, AlreadyApplied: r.AlreadyApplied, Registered: r.Registered,
		Lots: r.Lots, Acknowledgements: r.Acknowledgement, FullRequested: r.FullRequested, Reason: r.Reason, Deadline: instant(r.Deadline),
		Lineage: string(r.Lineage), Recovered: r.Recovered, Revoked: r.Revoked,
	}
}

func (a *api) inspectSyncFile(_ context.Context, in *struct{ upload }) (*output[offline.Summary], error) {
	spooled, size, err := a.spool(in.upload, wire.MaxContainer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = spooled.Close() }()
	summary, err := offline.Inspect(spooled, size)
	return answer(summary, inspectionProblem(err))
}

// inspectionProblem gives what is wrong with a file a Kind. Whatever is no
// failure of our disk is the file's fault.
func inspectionProblem(err error) error {
	var disk *fs.PathError
	switch {
	case err == nil, errors.As(err, &disk):
		return err
	case errors.Is(err, wire.ErrTooLarge):
		return &satellite.Error{
			Kind: satellite.KindTooLarge, Code: "sync-file-too-large",
			Message: fmt.Sprintf("The file is larger than is read: %v.", err),
		}
	}
	return &satellite.Error{
		Kind: satellite.KindInvalid, Code: "sync-file-invalid",
		Message: fmt.Sprintf("This is no sync file, or it is not as it was written: %v.", err),
		Hint:    "Copy it again from where it was made.",
	}
}

// SyncRequestFacts reads what the headers of a downloaded request say about it.
func SyncRequestFacts(header http.Header) (facts SyncRequest, err error) {
	facts.Scope, facts.Digest = header.Get("Sync-Scope"), header.Get("Sync-Digest")
	var recordsErr error
	facts.Sequence, err = strconv.ParseInt(header.Get("Sync-Sequence"), 10, 64)
	facts.Records, recordsErr = strconv.ParseInt(header.Get("Sync-Records"), 10, 64)
	return facts, errors.Join(err, recordsErr)
}
