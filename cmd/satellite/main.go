// Program satellite is the licensing server and its command line. The commands
// that administer it are clients of its REST API over the local socket.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// newRootCommand is the whole command line.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "satellite",
		Short: "On-prem software licensing for devices in a closed network",
		Long: "On-prem software licensing for devices in a closed network.\n\n" +
			"`satellite serve` runs the server. The other commands speak to it over the socket in its data folder.",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().String("data", "./satellite-data", "data folder of the satellite")
	root.PersistentFlags().Bool("json", false, "write one JSON document to standard output")
	root.AddCommand(
		// The server, and what works without it.
		newServeCommand(), newDemoCommand(), newSeedCommand(), newAuditCommand(), newVersionCommand(),
		// Clients of the server.
		newSetupCommand(), newUserCommand(), newGroupCommand(), newAPIClientCommand(), newAccountCommand(), newVirtualAccountCommand(), newAgreementCommand(), newMailCommand(),
		newTokenCommand(), newDeviceCommand(), newLicenseCommand(), newReservationCommand(), newCertificateCommand(), newSyncCommand(), newPrivacyCommand(), newUpstreamCommand(),
		newUsageCommand(), newClockCommand(), newEventCommand(), newAlertCommand(), newHealthcheckCommand(),
	)
	addDebug(root)
	finish(root)
	return root
}
