package ui

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/sync/offline"
	"ssm/ui/kit"
)

// requestFiles are the request files that can be downloaded: the newest of each
// account, in the folder for temporary files, until its response is applied or
// the satellite restarts. A lost one is made again: nothing depends on the file.
type requestFiles struct {
	folder string
	mutex  sync.Mutex
	files  map[satellite.AccountID]requestFile
}

type requestFile struct {
	path    string
	row     satellite.SyncRequestRow
	summary offline.Summary
}

// write makes a request of an account and looks into it.
func (f *requestFiles) write(r *request, id satellite.AccountID, full bool) error {
	file, err := os.CreateTemp(f.folder, "carry-*")
	if err != nil {
		return err
	}
	made := requestFile{path: file.Name()}
	made.row, err = r.Service.WriteSyncRequest(r.context(), r.actor, id, full, file)
	if err == nil {
		var size int64
		if size, err = file.Seek(0, io.SeekCurrent); err == nil {
			made.summary, err = offline.Inspect(file, size)
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(made.path)
		return err
	}
	f.keep(id, made)
	return nil
}

func (f *requestFiles) keep(id satellite.AccountID, made requestFile) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if old, ok := f.files[id]; ok {
		_ = os.Remove(old.path) // a download that runs keeps what it has open
	}
	f.files[id] = made
}

func (f *requestFiles) find(id satellite.AccountID) (requestFile, bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	file, ok := f.files[id]
	return file, ok
}

func (f *requestFiles) drop(id satellite.AccountID) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if old, ok := f.files[id]; ok {
		_ = os.Remove(old.path)
		delete(f.files, id)
	}
}

// name proposes a file name.
func (f requestFile) name() string {
	return offline.FileName(wire.Manifest{
		Kind: wire.SyncRequest, Sequence: f.row.Sequence, Account: wire.SyncAccount{ID: f.summary.AccountID, Name: f.summary.Account},
	})
}

// requestView is the file as a person sees it who is about to carry it.
type requestView struct {
	Name, Size, URL, Command string
	Digest                   kit.Code
	Note                     string
	Facts                    kit.Facts
	Contents                 []contentRow
	Absent                   []absentItem
	Total                    string
}

type contentRow struct{ Name, Number, Fields string }

type absentItem struct {
	Name, Text string
	Absent     bool
}

// recordKinds are the kinds of records in the order in which they are shown.
var recordKinds = []wire.RecordKind{wire.RecordDevice, wire.RecordUsage, wire.RecordToken, wire.RecordReport}

// requestView is nil where the file of the waiting request is not at hand any more.
func (r *request) requestView(account satellite.Account, waiting satellite.SyncRequestRow) *requestView {
	file, ok := r.requests.find(account.ID)
	if !ok || file.row.Sequence != waiting.Sequence {
		return nil
	}
	s := file.summary
	view := &requestView{
		Name: file.name(), Size: r.words.size(s.Size), URL: syncURL(account.ID) + "/request", Digest: kit.Code{Label: r.t("wizard.file.digest"), Lines: []kit.Line{{Text: spaced(s.Digest)}}},
		Command: "satellite sync inspect " + file.name(), Note: r.t("wizard.leaves.note." + string(waiting.Scope)),
		Facts: kit.Facts{
			{Term: r.t("wizard.file.scope"), Value: r.t("sync.scope." + string(waiting.Scope))}, {Term: r.t("wizard.file.sequence"), Value: number(s.Sequence)},
			{Term: r.t("wizard.file.created"), Value: r.words.dateTime(s.CreatedAt)}, {Term: r.t("wizard.file.signer"), Value: s.Signature.Signer},
		},
	}
	total := int64(0)
	for _, count := range s.Records {
		total += count
	}
	for _, kind := range recordKinds {
		key := "record." + string(kind)
		view.Contents = append(view.Contents, contentRow{r.t(key), number(s.Records[kind]), r.t(key + ".fields")})
	}
	view.Total = number(total)
	omitted := func(name string) bool { return slices.Contains(s.PrivacyOmits, name) }
	for _, field := range []struct {
		key, omit string
		count     int64
	}{
		{"privacy.hostnames", "hostname", s.Privacy.HostNames}, {"privacy.ip", "ip_address", s.Privacy.IPAddresses},
		{"privacy.mac", "mac_address", s.Privacy.MACAddresses}, {"privacy.versions", "version", s.Privacy.Versions},
	} {
		item := absentItem{Name: r.t(field.key), Text: r.t("privacy.found", "Count", field.count), Absent: field.count == 0}
		if item.Absent {
			item.Text = r.t("privacy.absent")
			if omitted(field.omit) {
				item.Text = r.t("privacy.omitted")
			}
		}
		view.Absent = append(view.Absent, item)
	}
	return view
}

// spaced writes a digest in groups that can be compared by eye.
func spaced(digest string) string {
	var groups []string
	for len(digest) > 4 {
		groups, digest = append(groups, digest[:4]), digest[4:]
	}
	return strings.Join(append(groups, digest), " ")
}

func downloadRequest(r *request) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	if !r.mayIn(satellite.ActionSynchronize, account.ID) {
		return r.forbidden(satellite.ActionSynchronize)
	}
	found, ok := r.requests.find(account.ID)
	if !ok {
		return r.redirect(syncURL(account.ID))
	}
	file, err := os.Open(found.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	header := r.Response().Header()
	header.Set(echo.HeaderContentType, wire.RequestMediaType)
	header.Set(echo.HeaderContentDisposition, attachment(found.name()))
	header.Set(echo.HeaderContentLength, strconv.FormatInt(found.summary.Size, 10))
	r.Response().WriteHeader(http.StatusOK)
	_, err = io.Copy(r.Response(), file)
	return err
}
