package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
	"ssm/satellite/web"
	"ssm/sync/offline"
)

// client speaks to the satellite on a data folder over its local socket.
type client struct {
	http *http.Client
	data string
}

// maxAnswer bounds a JSON answer: a page has at most a thousand rows.
const maxAnswer = 64 << 20

// connect prepares a client for the folder of --data. The first request tells
// whether a satellite runs there.
func connect(c *cobra.Command) *client {
	data := text(c, "data")
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, data) },
		// A file that the satellite refuses unseen is not sent.
		ExpectContinueTimeout: time.Second,
	}
	return &client{http: &http.Client{Transport: transport}, data: data}
}

// dial opens the socket of a data folder. Where the folder's path is too long
// for one, the file "socket" says where it is instead.
func dial(ctx context.Context, data string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(data, "satellite.sock"))
	if err == nil {
		return conn, nil
	}
	elsewhere, readErr := os.ReadFile(filepath.Join(data, "socket"))
	if readErr != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "unix", strings.TrimSpace(string(elsewhere)))
}

// unreachable says why there is no answer, and what to do.
func (c *client) unreachable(err error) error {
	var dialing *net.OpError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("The socket of the satellite on %s belongs to another user. Run the command as the user that runs the satellite", c.data) //nolint:staticcheck // for people
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EINVAL), errors.As(err, &dialing) && dialing.Op == "dial":
		return notRunning(c.data)
	}
	return fmt.Errorf("The satellite on %s did not answer: %w. The log of the satellite may tell why", c.data, err) //nolint:staticcheck // for people
}

// message is an error in whole sentences.
type message string

func (m message) Error() string { return string(m) }

func notRunning(data string) error {
	return message(fmt.Sprintf("The satellite is not running on %s. Start it with `satellite serve --data %s`.", data, data))
}

// path joins the elements of a path below the API, each escaped.
func path(elements ...string) string {
	var joined strings.Builder
	for _, element := range elements {
		joined.WriteString("/" + url.PathEscape(element))
	}
	return joined.String()
}

// request is one call. The body of the answer is the caller's to close; an
// answer that is no success is an error in the words of its problem.
func (c *client) request(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader, size int64) (*http.Response, error) {
	address := url.URL{Scheme: "http", Host: "satellite", RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, err
	}
	if request.URL, err = url.Parse("http://satellite" + adminapi.Prefix + path); err != nil {
		return nil, err
	}
	request.URL.RawQuery = query.Encode()
	if body != nil {
		request.Header.Set("Content-Type", contentType)
		request.ContentLength = size
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	var problem web.Problem
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&problem); err != nil || problem.Detail == "" {
		return nil, message("The satellite answered with status " + response.Status + " and no reason.")
	}
	return nil, problem
}
