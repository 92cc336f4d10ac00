package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) agreementPublish() *cobra.Command {
	var version, file string
	c := &cobra.Command{Use: "publish --version V --file F", Short: "Publish a new version of the agreement", Args: cobra.NoArgs,
		Long: "Publish a new version of the agreement: a plain text in UTF-8 of at most 256 KiB.\n" +
			"From the next response on a satellite gives no new token before it is accepted; devices that run are not disturbed.",
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			text, err := readAgreement(file)
			if err != nil {
				return err
			}
			agreement, err := u.PublishAgreement(ctx, version, text)
			if err != nil {
				return err
			}
			return a.print(agreement, func(w io.Writer) {
				fmt.Fprintf(w, "Version %s of the agreement holds since %s.\n", agreement.Version, stamp(agreement.PublishedAt))
			})
		})}
	c.Flags().StringVar(&version, "version", "", "name of the version, 1 to 32 characters")
	c.Flags().StringVar(&file, "file", "", "file with the text")
	return need(c, "version", "file")
}

// readAgreement reads a little more than is allowed, so that what is too long shows.
func readAgreement(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, ssm.MaxAgreement+1))
	return string(text), errors.Join(err, file.Close())
}

func (a *app) agreementShow() *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show the agreement that holds now", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			agreement, err := u.Agreement(ctx)
			if err != nil {
				return err
			}
			if a.json {
				return a.print(agreement, nil)
			}
			_, err = fmt.Fprintf(a.stdout, "Version %s, published %s UTC\n\n%s\n", agreement.Version, stamp(agreement.PublishedAt), strings.TrimRight(agreement.Text, "\r\n"))
			return err
		})}
}
