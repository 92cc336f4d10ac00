package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
	"ssm/satellite/web"
)

// client speaks to the satellite on a data folder over its local socket.
type client struct {
	http *http.Client
	data string
}

// maxAnswer bounds a JSON answer: a page has at most a thousand rows.
const maxAnswer = 64 << 20

// newClient prepares a client for a data folder. The first request tells
// whether a satellite runs there.
func newClient(data string) *client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, data) },
		// A file that the satellite refuses unseen is not sent.
		ExpectContinueTimeout: time.Second,
	}
	return &client{http: &http.Client{Transport: transport}, data: data}
}

// connect is newClient for the folder of --data.
func connect(c *cobra.Command) *client { return newClient(text(c, "data")) }

// dial opens the socket of a data folder. Where the folder's path is too long
// for one, the file "socket" says where it is instead.
func dial(ctx context.Context, data string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(data, socketFile))
	if err == nil {
		return conn, nil
	}
	elsewhere, readErr := os.ReadFile(filepath.Join(data, socketPointer))
	if readErr != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "unix", strings.TrimSpace(string(elsewhere)))
}

// message is an error in whole sentences.
type message string

func (m message) Error() string { return string(m) }

// unreachable says why there is no answer, and what to do.
func (c *client) unreachable(err error) error {
	var connecting *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return message("Interrupted. Whether the satellite carried it out is not known.")
	case errors.Is(err, fs.ErrPermission):
		return message(fmt.Sprintf("The socket of the satellite on %s belongs to another user. Run the command as the user that runs the satellite.", c.data))
	case errors.As(err, &connecting) && connecting.Op == "dial":
		return message(fmt.Sprintf("The satellite is not running on %s. Start it with `satellite serve --data %s`.", c.data, c.data))
	}
	return message(fmt.Sprintf("The satellite on %s broke off before it had answered (%v). Look whether it was carried out before you try again.", c.data, err))
}

// resource joins names to a path below the API, each escaped.
func resource(names ...string) string {
	var joined strings.Builder
	for _, name := range names {
		joined.WriteString("/" + url.PathEscape(name))
	}
	return joined.String()
}

// ask adds the parameters of a question to a path; empty ones are left out.
func ask(path string, parameters url.Values) string {
	for name, values := range parameters {
		if values[0] == "" {
			delete(parameters, name)
		}
	}
	if len(parameters) == 0 {
		return path
	}
	return path + "?" + parameters.Encode()
}

// body is what a request carries.
type body struct {
	io.Reader
	size        int64
	contentType string
}

// do is one call. The caller closes the answer's body; an answer that is no
// success is an error in the words of its problem.
func (c *client) do(ctx context.Context, method, path string, body *body) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://satellite"+adminapi.Prefix+path, nil)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Body, request.ContentLength = io.NopCloser(body.Reader), body.size
		request.Header.Set("Content-Type", body.contentType)
		request.Header.Set("Expect", "100-continue")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	var problem web.Problem
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&problem); err != nil || problem.Detail == "" {
		return nil, message(fmt.Sprintf("The satellite on %s answered %s, without a reason.", c.data, response.Status))
	}
	return nil, problem
}

// call is do with a JSON answer, which is read into a value; nil where none is expected.
func (c *client) call(ctx context.Context, method, path string, body *body, into any) error {
	response, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return c.unreachable(err)
	}
	return nil
}

func (c *client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *client) post(ctx context.Context, path string, in, into any) error {
	return c.send(ctx, http.MethodPost, path, in, into)
}

func (c *client) patch(ctx context.Context, path string, in, into any) error {
	return c.send(ctx, http.MethodPatch, path, in, into)
}

// send is call with a JSON body; nil is none.
func (c *client) send(ctx context.Context, method, path string, in, into any) error {
	if in == nil {
		return c.call(ctx, method, path, nil, into)
	}
	encoded, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.call(ctx, method, path, &body{bytes.NewReader(encoded), int64(len(encoded)), "application/json"}, into)
}

// upload posts a file.
func (c *client) upload(ctx context.Context, path, name string, into any) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return message(name + " is not a file.")
	}
	return c.call(ctx, http.MethodPost, path, &body{file, info.Size(), "application/octet-stream"}, into)
}

// download gets a small file.
func (c *client) download(ctx context.Context, path string) ([]byte, error) {
	response, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	return content, nil
}

// pages follows the cursors of a listing to its end.
func pages[T any](ctx context.Context, c *client, path string, parameters url.Values) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		asked := url.Values{"limit": {"1000"}}
		for name, values := range parameters {
			asked[name] = values
		}
		for {
			var list adminapi.List[T]
			if err := c.get(ctx, ask(path, asked), &list); err != nil {
				yield(nil, err)
				return
			}
			if !yield(list.Items, nil) || list.Next == "" {
				return
			}
			asked.Set("cursor", list.Next)
		}
	}
}

// account is the name of the account that is meant: the only one there is where
// none is named.
func (c *client) account(ctx context.Context, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	var accounts adminapi.List[adminapi.Account]
	if err := c.get(ctx, resource("accounts"), &accounts); err != nil {
		return "", err
	}
	switch n := len(accounts.Items); n {
	case 0:
		return "", message("There is no account yet. Create one with `satellite account create --name NAME --email EMAIL`.")
	case 1:
		return accounts.Items[0].Name, nil
	default:
		return "", message(fmt.Sprintf("There are %d accounts, and none was named. Name one with --account.", n))
	}
}
