package main

import (
	"io"

	"github.com/spf13/cobra"

	"ssm/sync/offline"
)

func newCertificateCommand() *cobra.Command {
	c := &cobra.Command{Use: "certificate", Short: "Export the certificates that device certificates are checked with"}
	c.AddCommand(
		newExportCommand("chain", "certificate-chain", "Export the chain of device certificates as PEM: sub CA, issuing CA, root"),
		newExportCommand("crl", "crl", "Export a new list of revoked device certificates as PEM"),
	)
	return c
}

func newExportCommand(name, file, short string) *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   name + " [--account NAME] --out FILE",
		Short: short,
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			pem, err := client.download(c.Context(), resource("accounts", account, file))
			if err != nil {
				return err
			}
			out := text(c, "out")
			if err := offline.WriteFile(out, func(w io.Writer) error {
				_, err := w.Write(pem)
				return err
			}); err != nil {
				return err
			}
			say(c, "%s was written.", out)
			return printRecord(c, struct {
				Account string `json:"account"`
				File    string `json:"file"`
			}{account, out})
		},
	})
	c.Flags().String("out", "", "file to write (required)")
	require(c, "out")
	return c
}
