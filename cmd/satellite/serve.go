package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/adminapi"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
	"ssm/satellite/deviceapi"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/telemetry"
	"ssm/satellite/web"
	"ssm/sync/scheduler"
	"ssm/ui"
)

func newServeCommand() *cobra.Command {
	var configFile, listen, readyFile string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the satellite",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			if flag := cmd.Flags().Lookup("data"); flag.Changed {
				c.Data = flag.Value.String()
			}
			if listen != "" {
				c.Listen.Address = listen
			}
			level, err := logLevel(c.Log.Level)
			if err != nil {
				return err
			}
			log := telemetry.NewLogger(cmd.ErrOrStderr(), level, c.Log.Format == "json")
			return serve(cmd.Context(), c, log, func(ready ready) error {
				announce(cmd.OutOrStdout(), ready)
				if readyFile == "" {
					return nil
				}
				text, err := json.Marshal(ready)
				if err != nil {
					return err
				}
				return certs.WriteFile(readyFile, append(text, '\n'), 0o600)
			})
		},
	}
	command.Flags().StringVar(&configFile, "config", "", "configuration file; see satellite.example.yaml")
	command.Flags().StringVar(&listen, "listen", "", "address of console, API and devices, as host:port; port 0 takes a free one (default :8443)")
	addTravelFlags(command)
	command.Flags().StringVar(&readyFile, "ready-file", "", "JSON file to write with the addresses, once they answer")
	return command
}

// ready says where a running satellite answers.
type ready struct {
	ConsoleURL string `json:"console_url"`
	DeviceURL  string `json:"device_url"`
	APIURL     string `json:"api_url"`
	SetupURL   string `json:"setup_url"` // one-time link of the first start, "" once there is a user
	CAFile     string `json:"ca_file"`
}

func announce(w io.Writer, r ready) {
	_, _ = fmt.Fprintf(w, "Console  %s\nDevices  %s\nTrust    %s\n", r.ConsoleURL, r.DeviceURL, r.CAFile)
	if r.SetupURL != "" {
		_, _ = fmt.Fprintf(w, "\nNobody can sign in yet. Open this link once, to set a password:\n%s\n\n", r.SetupURL)
	}
}

func logLevel(name string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return level, fmt.Errorf("log.level is %q, it must be debug, info, warn or error", name)
	}
	return level, nil
}

// serve runs a satellite until ctx ends. whenReady is called once it listens.
func serve(ctx context.Context, c config, log *slog.Logger, whenReady func(ready) error) error {
	s, err := start(ctx, c, log)
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx, whenReady)
}

// server is a running satellite: everything that meets here and nowhere else.
type server struct {
	config   config
	log      *slog.Logger
	machine  *machine
	unlock   func()
	store    *store.Store
	service  *satellite.Service
	sessions *auth.Sessions
	metrics  *telemetry.Metrics
	tls      *certs.Server
	bundle   *bundle
	jobs     *scheduler.Runner
	ticker   *time.Ticker // wakes the jobs

	main, device, console, plain, local net.Listener
}

// start opens the data folder and prepares the service; it listens, but does
// not answer yet.
func start(ctx context.Context, c config, log *slog.Logger) (s *server, err error) {
	s = &server{config: c, log: log, machine: newMachine(), metrics: telemetry.NewMetrics()}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	if err := s.occupy(); err != nil {
		return s, err
	}
	if err := s.prepareTravel(); err != nil {
		return s, err
	}
	keys, err := s.open(ctx, s.machine.Now, s.machine.Monotonic)
	if err != nil {
		return s, err
	}
	// A clock that was set while the satellite was off is told before anything else happens.
	if err := s.service.Tick(ctx); err != nil {
		return s, fmt.Errorf("put the clock on record: %w", err)
	}
	s.sessions = auth.NewSessions(s.store, s.service.Now, c.Session.Idle, c.Session.Absolute)
	if err := s.loadTLS(keys); err != nil {
		return s, err
	}
	if err := s.prepareJobs(); err != nil {
		return s, err
	}
	err = s.listen()
	return s, err
}

const databaseFile = "satellite.db"

// occupy makes the data folder this process's own.
func (s *server) occupy() (err error) {
	temporary := filepath.Join(s.config.Data, "tmp")
	if err := os.MkdirAll(s.config.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if s.unlock, err = lockFolder(s.config.Data); err != nil {
		return err
	}
	// What a stopped process left behind half-made.
	if err := errors.Join(os.RemoveAll(temporary), os.MkdirAll(temporary, 0o700)); err != nil {
		return fmt.Errorf("empty the folder for temporary files: %w", err)
	}
	return nil
}

// open opens the database of the folder and prepares the service, by the given clocks.
func (s *server) open(ctx context.Context, now func() time.Time, monotonic func() time.Duration) (*certs.KeyFile, error) {
	// The live heap is a few megabytes: collected at its double, a tenth of the
	// time on the device path would go into collecting. This costs about 40 MB.
	debug.SetGCPercent(500)
	// That factor is for a small heap; where requests fill a large one it is
	// collected before the process passes 300 MB.
	debug.SetMemoryLimit(160 << 20)
	keys, err := certs.LoadKeyFile(s.config.keyFile())
	if err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, store.Options{Path: filepath.Join(s.config.Data, databaseFile)}); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s.service, err = satellite.New(ctx, satellite.Ports{
		Store: s.store, Issuer: issuer.New(keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(2), Secrets: keys,
		Observer: s.metrics, Upstream: carrier{now: s.machine.Now, random: mathrand.Float64}, Timetable: scheduler.Next, Now: now, Monotonic: monotonic, Random: rand.Reader,
	}, s.config.options())
	return keys, err
}

func (s *server) loadTLS(keys *certs.KeyFile) (err error) {
	c := s.config
	if c.TLS.Certificate != "" {
		s.tls, err = certs.LoadServerFiles(c.TLS.Certificate, c.TLS.Key, s.service.Now)
	} else {
		names := append([]string{}, c.TLS.Names...)
		if c.Name != "" {
			names = append(names, c.Name)
		}
		folder := filepath.Join(c.Data, "tls")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		s.tls, err = certs.LoadServer(folder, keys, certs.LocalNames(c.Listen.Address, names), s.service.Now)
	}
	if err != nil {
		return fmt.Errorf("prepare the TLS certificate: %w", err)
	}
	s.bundle = &bundle{path: filepath.Join(c.Data, "ca.pem"), tls: s.tls, roots: s.service.Roots}
	return s.bundle.refresh(context.Background())
}

func (s *server) listen() (err error) {
	var floor web.Server
	for _, l := range []struct {
		address  string
		listener *net.Listener
	}{
		{s.config.Listen.Address, &s.main}, {s.config.Listen.Device, &s.device},
		{s.config.Listen.Console, &s.console}, {s.config.Listen.PlainDevice, &s.plain},
	} {
		if l.address == "" {
			continue
		}
		if *l.listener, err = floor.Listen(l.address); err != nil {
			return err
		}
	}
	s.local, err = listenLocal(s.config.Data)
	return err
}

// run answers until ctx ends or a listener fails.
func (s *server) run(ctx context.Context, whenReady func(ready) error) error {
	addresses, err := s.addresses(ctx)
	if err != nil {
		return err
	}
	device, console := s.deviceHandler(), s.consoleHandler(addresses)
	main := both(device, console)
	if s.device != nil {
		main = console
	}
	if s.console != nil {
		main = device
	}
	var floor web.Server
	secure := certs.ServerConfig(s.tls)
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range []struct {
		listener net.Listener
		handler  http.Handler
		tls      *tls.Config
	}{{s.main, main, secure}, {s.device, device, secure}, {s.console, console, secure}, {s.plain, device, nil}} {
		if l.listener != nil {
			group.Go(func() error { return floor.Serve(ctx, l.listener, l.handler, l.tls, s.log) })
		}
	}
	local := web.Server{ConnContext: adminapi.ConnContext}
	group.Go(func() error { return local.Serve(ctx, s.local, s.localHandler(), nil, s.log) })
	group.Go(func() error { return s.runJobs(ctx) })
	s.log.Info("the satellite is ready", "satellite", s.service.ID(), "console", addresses.ConsoleURL, "devices", addresses.DeviceURL, "version", programVersion())
	if err := whenReady(addresses); err != nil {
		return err
	}
	return group.Wait()
}

// addresses tells where the satellite answers, and makes the one-time set-up link.
func (s *server) addresses(ctx context.Context) (ready, error) {
	name := func(own net.Listener) string {
		if own == nil {
			own = s.main
		}
		host, port, _ := net.SplitHostPort(own.Addr().String())
		return "https://" + net.JoinHostPort(publicName(s.config.Name, host), port)
	}
	console := name(s.console)
	r := ready{ConsoleURL: console + "/", DeviceURL: name(s.device) + "/SmartTransport", APIURL: console + "/api/v2", CAFile: s.bundle.path}
	if absolute, err := filepath.Abs(r.CAFile); err == nil {
		r.CAFile = absolute
	}
	code, err := s.service.BeginSetup(ctx)
	if code != "" {
		r.SetupURL = console + "/setup?code=" + code
	}
	return r, err
}

// publicName is the host name that others should use: the configured one, the
// one that is listened on, or for all interfaces this machine's name, if that
// leads back here.
func publicName(configured, listening string) string {
	if configured != "" {
		return configured
	}
	if ip := net.ParseIP(listening); ip == nil || !ip.IsUnspecified() {
		return listening
	}
	hostname, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	own, _ := net.InterfaceAddrs()
	found, _ := net.LookupHost(hostname)
	for _, address := range found {
		for _, o := range own {
			if network, ok := o.(*net.IPNet); ok && network.IP.String() == address {
				return hostname
			}
		}
	}
	return "localhost"
}

func (s *server) deviceHandler() http.Handler {
	e := web.New(s.log)
	deviceapi.Routes(e, s.service, s.bundle.read)
	return e
}

func (s *server) consoleHandler(addresses ready) http.Handler {
	e := web.New(s.log)
	health := telemetry.NewHealth(map[string]func(context.Context) error{"database": s.store.Ping})
	health.Log = s.log
	e.GET("/healthz", echo.WrapHandler(health.Live()))
	e.GET("/readyz", echo.WrapHandler(health.Ready()))
	e.GET("/metrics", echo.WrapHandler(s.metrics.Handler()))
	adminapi.Routes(e, s.apiOptions())
	signIns := auth.NewLimiter(s.machine.steady)
	ui.Routes(e, ui.Options{
		Service: s.service, Sessions: s.sessions, Limiter: signIns, Bundle: s.bundle.read,
		DeviceURL: func() string { return addresses.DeviceURL }, Version: programVersion(), Host: hostOf(addresses.ConsoleURL), Log: s.log, ServerNotAfter: s.tls.NotAfter,
	})
	return beside(e, s.compatibleHandler(signIns))
}

// beside lets the compatible API answer its paths on the console's listener.
func beside(console, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if compatible.Owns(r.URL.Path) {
			api.ServeHTTP(w, r)
			return
		}
		console.ServeHTTP(w, r)
	})
}

func (s *server) compatibleHandler(signIns *auth.Limiter) http.Handler {
	return compatible.Handler(compatible.Options{
		Service: s.service, Log: s.log, Now: s.machine.steady, SignIns: signIns,
	})
}

func (s *server) apiOptions() adminapi.Options {
	return adminapi.Options{
		Service: s.service, Sessions: s.sessions, Log: s.log, Version: programVersion(), TemporaryFolder: s.service.Options().TemporaryFolder,
	}
}

// both lets one listener serve devices and console.
func both(device, console http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == deviceapi.Path || r.URL.Path == deviceapi.BundlePath {
			device.ServeHTTP(w, r)
			return
		}
		console.ServeHTTP(w, r)
	})
}

// localHandler answers the command line; a change of the trusted roots reaches
// the bundle at once.
func (s *server) localHandler() http.Handler {
	api := s.debug(adminapi.LocalHandler(s.apiOptions()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r)
		if r.Method == http.MethodPost {
			if err := s.bundle.refresh(r.Context()); err != nil {
				s.log.Warn("the trust bundle could not be written", "error", err)
			}
		}
	})
}

func (s *server) close() {
	if s.ticker != nil {
		s.ticker.Stop()
	}
	for _, l := range []net.Listener{s.main, s.device, s.console, s.plain, s.local} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.local != nil {
		if err := removeSocket(filepath.Join(s.config.Data, socketPointer)); err != nil {
			s.log.Warn("the folder of the local socket was not removed", "error", err)
		}
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("the database was not closed cleanly", "error", err)
		}
	}
	if s.unlock != nil {
		s.unlock()
	}
}

func hostOf(address string) string {
	if request, err := http.NewRequest(http.MethodGet, address, nil); err == nil {
		return request.URL.Hostname()
	}
	return ""
}
