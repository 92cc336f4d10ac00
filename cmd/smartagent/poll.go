package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// polling is many API clients that ask a satellite for the same thing again and
// again, each over a connection of its own, as dashboards and monitoring do.
type polling struct {
	base, path, body string
	clients          []apiClient
	every, duration  time.Duration
	roots            *x509.CertPool
	now              func() time.Time
}

// apiClient is what `satellite --json api-client create` prints of one.
type apiClient struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// pollResult is what a polling measured. A latency is the time from the first
// byte of a request to the last byte of its answer.
type pollResult struct {
	Clients       int              `json:"clients"`
	Seconds       float64          `json:"seconds"`
	Answers       int64            `json:"answers"` // with status 200
	RatePerSecond float64          `json:"rate_per_second"`
	Bytes         int64            `json:"bytes"` // of those answers
	P50           float64          `json:"p50_ms"`
	P99           float64          `json:"p99_ms"`
	Refused       map[string]int64 `json:"refused,omitempty"` // how often: the status, or "connection"
}

func (p *program) poll() *cobra.Command {
	o := &polling{now: p.now}
	var file string
	c := &cobra.Command{
		Use: "poll", Short: "Play many API clients that poll, to measure a satellite", Args: cobra.NoArgs,
		Long: `Play many API clients that poll, to measure a satellite: each gets a token, and
then asks for --path again and again until the duration is over. One that is
refused for asking too often waits as long as it is told to. The clients come
from a file of what "satellite --json api-client create" printed for each.
The exit status is 0 unless no request was answered.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.prepare(p, file); err != nil {
				return failure{err}
			}
			return p.runPoll(c.Context(), o)
		},
	}
	flags := c.Flags()
	flags.StringVar(&file, "clients", "", "file with the API clients, each an object of JSON")
	flags.StringVar(&o.path, "path", "", "what they ask for: path and query")
	flags.StringVar(&o.body, "body", "", "JSON to send; without it the path is read")
	flags.DurationVar(&o.every, "every", time.Second, "between two requests of a client; 0 is without a pause")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long to measure")
	for _, name := range []string{"clients", "path"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // the name is one of the line above
		}
	}
	return c
}

func (o *polling) prepare(p *program, file string) error {
	address, err := url.Parse(p.url)
	if err != nil || address.Host == "" {
		return fmt.Errorf("--url is %q, and must be the address of a satellite", p.url)
	}
	o.base = address.Scheme + "://" + address.Host
	pem, err := readPEM(p.ca)
	if err != nil {
		return err
	}
	if pem != nil {
		o.roots = x509.NewCertPool()
		o.roots.AppendCertsFromPEM(pem)
	}
	list, err := os.Open(file)
	if err != nil {
		return err
	}
	defer list.Close()
	for decoder := json.NewDecoder(list); ; {
		var client apiClient
		if err := decoder.Decode(&client); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s is no list of API clients: %w", file, err)
		}
		if client.ClientID == "" || client.ClientSecret == "" {
			return fmt.Errorf("%s holds an API client without its secret, which only its creation shows", file)
		}
		o.clients = append(o.clients, client)
	}
	return nil
}

func (p *program) runPoll(ctx context.Context, o *polling) error {
	r, err := o.run(ctx)
	if err == nil && r.Answers == 0 {
		err = fmt.Errorf("no request was answered: %v", r.Refused)
	}
	if err != nil {
		return failure{err}
	}
	if p.json {
		return p.printJSON(r)
	}
	fmt.Fprintf(p.out, "%d clients, %.1f s\n", r.Clients, r.Seconds)
	fmt.Fprintf(p.out, "  %d answers, %.0f per second, %d bytes; refused: %v\n", r.Answers, r.RatePerSecond, r.Bytes, r.Refused)
	fmt.Fprintf(p.out, "  latency: p50 %.2f ms, p99 %.2f ms\n", r.P50, r.P99)
	return nil
}

// poller is one client at work.
type poller struct {
	*polling
	http      *http.Client
	token     string
	latencies []time.Duration // of the answers
	bytes     int64
	refused   map[string]int64
}

// run gets the tokens, polls and sums up.
func (o *polling) run(ctx context.Context) (pollResult, error) {
	pollers := make([]*poller, len(o.clients))
	for i, client := range o.clients {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS12}}
		pollers[i] = &poller{polling: o, http: &http.Client{Transport: transport, Timeout: time.Minute}, refused: map[string]int64{}}
		if err := pollers[i].getToken(ctx, client); err != nil {
			return pollResult{}, fmt.Errorf("get a token for %s: %w", client.ClientID, err)
		}
	}
	begin := o.now()
	ctx, cancel := context.WithTimeout(ctx, o.duration)
	defer cancel()
	var all sync.WaitGroup
	for i, p := range pollers {
		// Not all in the same moment of each second.
		first := o.every * time.Duration(i) / time.Duration(len(pollers))
		all.Go(func() { p.poll(ctx, first) })
	}
	all.Wait()
	return sum(pollers, o.now().Sub(begin)), nil
}

func (p *poller) getToken(ctx context.Context, client apiClient) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ClientID}, "client_secret": {client.ClientSecret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	if answer.Token == "" {
		return fmt.Errorf("%s %s", response.Status, answer.Description)
	}
	p.token = answer.Token
	return nil
}

// poll asks until the time is over, the first time after a pause.
func (p *poller) poll(ctx context.Context, pause time.Duration) {
	defer p.http.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		begin := p.now()
		size, wait, err := p.ask(ctx)
		if ctx.Err() != nil {
			return // its answer would no longer count
		}
		spent := p.now().Sub(begin)
		if err != nil {
			p.refused[err.Error()]++
		} else {
			p.latencies, p.bytes = append(p.latencies, spent), p.bytes+size
		}
		pause = max(wait, p.every-spent)
	}
}

// ask asks once. The error is the status or "connection", wait how long the
// satellite wants to be left alone.
func (p *poller) ask(ctx context.Context) (size int64, wait time.Duration, err error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if p.body != "" {
		method, body = http.MethodPost, strings.NewReader(p.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+p.path, body)
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	if err != nil {
		return 0, time.Second, errors.New("connection")
	}
	defer response.Body.Close()
	size, err = io.Copy(io.Discard, response.Body)
	if err != nil {
		return 0, time.Second, errors.New("connection")
	}
	if response.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return 0, time.Duration(seconds) * time.Second, errors.New(strconv.Itoa(response.StatusCode))
	}
	return size, 0, nil
}

func sum(pollers []*poller, elapsed time.Duration) pollResult {
	r := pollResult{Clients: len(pollers), Seconds: elapsed.Seconds(), Refused: map[string]int64{}}
	var latencies []time.Duration
	for _, p := range pollers {
		latencies = append(latencies, p.latencies...)
		r.Bytes += p.bytes
		for reason, count := range p.refused {
			r.Refused[reason] += count
		}
	}
	slices.Sort(latencies)
	part := func(percent int) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[(len(latencies)-1)*percent/100].Microseconds()) / 1000
	}
	r.Answers, r.P50, r.P99 = int64(len(latencies)), part(50), part(99)
	r.RatePerSecond = float64(r.Answers) / r.Seconds
	return r
}
