package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

// programVersion is the version with what kind of build this is.
func programVersion() string { return version + buildNote }

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program, and the running satellite's id",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The id is the running satellite's; without one the program still has a version.
			id := ""
			var running struct {
				SatelliteID string `json:"satellite_id"`
			}
			if err := newClient(cmd.Flag("data").Value.String()).get(cmd.Context(), "/version", &running); err == nil {
				id = running.SatelliteID
			}
			revision := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						revision = setting.Value
					}
				}
			}
			if cmd.Flag("json").Value.String() == "true" {
				return writeJSON(cmd.OutOrStdout(), map[string]string{
					"version": programVersion(), "revision": revision, "go": runtime.Version(), "satellite_id": id,
				})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "satellite %s, %s %s/%s\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if id != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "running satellite %s\n", id)
			}
			return nil
		},
	}
}
