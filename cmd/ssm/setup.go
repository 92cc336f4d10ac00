package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) setupCommand() *cobra.Command {
	return &cobra.Command{Use: "setup", Short: "Make the data folder with its keys, or say that it is there", Args: cobra.NoArgs,
		RunE: a.action(func(_ context.Context, u *ssm.Upstream, _ []string) error {
			result := u.Root()
			return a.print(result, func(w io.Writer) {
				fmt.Fprintf(w, "The data folder %s is ready.\nLicensing root\t%s\nFingerprint\t%s\n", a.data, result.Subject, result.Fingerprint)
			})
		})}
}

func (a *app) rootCommand() *cobra.Command {
	var out string
	c := &cobra.Command{Use: "root --out FILE", Short: "Write the certificate of the licensing root, which satellites and devices have to be told", Args: cobra.NoArgs,
		RunE: a.action(func(_ context.Context, u *ssm.Upstream, _ []string) error {
			result, err := u.WriteRoot(out)
			if err != nil {
				return err
			}
			return a.print(result, func(w io.Writer) {
				fmt.Fprintf(w, "Written to\t%s\nFingerprint\t%s\n", out, result.Fingerprint)
			})
		})}
	c.Flags().StringVar(&out, "out", "", "file to write (PEM)")
	return need(c, "out")
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version of the program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.started = true
			result := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{Version: "unknown"}
			if info, ok := debug.ReadBuildInfo(); ok {
				result.Version, result.Go = info.Main.Version, info.GoVersion
			}
			return a.print(result, func(w io.Writer) { fmt.Fprintf(w, "ssm %s (%s)\n", result.Version, result.Go) })
		}}
}
