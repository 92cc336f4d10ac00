package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ssm/satellite/telemetry"
)

func newDemoCommand() *cobra.Command {
	var exit bool
	command := &cobra.Command{
		Use:   "demo",
		Short: "Tell the whole story with real parts, then stay up",
		Long: "Starts a satellite and an upstream of its own in a fresh folder, registers an account by file, lets four\n" +
			"devices register over TLS and use licenses, counts a usage file, and settles all of it by file.\n" +
			"Then it prints the console's address and stays up. Exit status 1 if any step did not hold.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder := ""
			if flag := cmd.Flags().Lookup("data"); flag.Changed {
				folder = flag.Value.String()
			}
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), folder, exit)
		},
	}
	command.Flags().BoolVar(&exit, "exit", false, "end after the story")
	return command
}

// realReport is a usage file as a real device wrote it.
//
//go:embed testdata/report-c9800.xml
var realReport []byte

func demo(ctx context.Context, out, logs io.Writer, folder string, exit bool) (err error) {
	folder, cleanup, err := demoFolder(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanup()) }()
	c, err := loadConfig("")
	if err != nil {
		return err
	}
	c.Data = filepath.Join(folder, "satellite")
	c.Listen.Address = freeAddress("127.0.0.1:8443")
	log := telemetry.NewLogger(logs, slog.LevelWarn, false)
	s, err := start(ctx, c, log)
	if err != nil {
		return err
	}
	defer s.close()

	serving, stop := context.WithCancel(ctx)
	defer stop()
	answers := make(chan ready, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- s.run(serving, func(r ready) error {
			answers <- r
			return nil
		})
	}()
	var addresses ready
	select {
	case addresses = <-answers:
	case err := <-ended:
		return err
	}
	told := &story{out: out, folder: folder, now: s.machine.Now, service: s.service, bundle: s.bundle, addresses: addresses}
	if err := told.tell(ctx); err != nil {
		stop()
		return errors.Join(fmt.Errorf("the story stopped: %w", err), <-ended)
	}
	if exit {
		stop()
		return <-ended
	}
	fmt.Fprintf(out, "\nThe satellite stays up, with its data in %s.\n\n", c.Data)
	fmt.Fprintf(out, "  Console      %s\n  First start  %s\n  Devices      %s\n  Trust        %s\n\n", addresses.ConsoleURL, addresses.SetupURL, addresses.DeviceURL, addresses.CAFile)
	fmt.Fprintln(out, "Open the first-start link once, to set a password. The browser warns of the certificate until you")
	fmt.Fprintln(out, "import the file under Trust. Ctrl-C ends it.")
	return <-ended
}

// demoFolder is a fresh folder: a temporary one that goes at the end, or one in
// the named folder that stays.
func demoFolder(named string) (folder string, cleanup func() error, err error) {
	if named == "" {
		folder, err = os.MkdirTemp("", "satellite-demo-")
		return folder, func() error { return os.RemoveAll(folder) }, err
	}
	keep := func() error { return nil }
	for n := 1; ; n++ {
		folder = named
		if n > 1 {
			folder = filepath.Join(named, fmt.Sprintf("run-%d", n))
		}
		if _, err := os.Stat(filepath.Join(folder, "satellite")); errors.Is(err, os.ErrNotExist) {
			return folder, keep, os.MkdirAll(folder, 0o700)
		}
	}
}

// freeAddress is the address itself, or a free port of its host where another
// program has it.
func freeAddress(address string) string {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		_ = listener.Close()
		return address
	}
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		return address[:strings.LastIndexByte(address, ':')] + ":0"
	}
	return address
}
