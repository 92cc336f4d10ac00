package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) licenseAdd() *cobra.Command {
	var order ssm.Order
	var kind, start, end string
	c := &cobra.Command{Use: "add --virtual-account V --tag T --name N --quantity Q", Short: "Add one more lot of a license to a virtual account", Args: cobra.NoArgs,
		Long: "Add one more lot of a license to a virtual account, which is made if it is missing.\n" +
			"A date is YYYY-MM-DD, which is midnight UTC at the beginning of that day, or RFC 3339.",
		PreRunE: func(*cobra.Command, []string) (err error) {
			order.Type = ssm.LicenseType(kind)
			if start != "" {
				if order.Start, err = date("start", start); err != nil {
					return err
				}
			}
			if end != "" {
				at, err := date("end", end)
				if err != nil {
					return err
				}
				order.End = &at
			}
			return nil
		},
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			license, err := u.AddLicense(ctx, order)
			if err != nil {
				return err
			}
			return a.print(license, func(w io.Writer) {
				fmt.Fprintf(w, "%q in %q has %d of %s now, in %d lots.\n", license.VirtualAccount, license.Account, license.Quantity, license.Tag, len(license.Lots))
			})
		})}
	flags := c.Flags()
	flags.StringVar(&order.Account, "account", "", "smart account; may be left out where there is only one")
	flags.StringVar(&order.VirtualAccount, "virtual-account", "", "virtual account")
	flags.StringVar(&order.Tag, "tag", "", "entitlement tag")
	flags.StringVar(&order.Name, "name", "", "display name of the license")
	flags.Int64Var(&order.Quantity, "quantity", 0, "how many")
	flags.StringVar(&kind, "type", "", "perpetual, subscription or evaluation (default perpetual; with --end, subscription)")
	flags.StringVar(&start, "start", "", "when the lot begins to count (default now)")
	flags.StringVar(&end, "end", "", "when the lot no longer counts; not of a perpetual license")
	flags.StringVar(&order.Number, "order", "", "number of the order")
	flags.StringVar(&order.SubscriptionID, "subscription-id", "", "id of the subscription")
	return need(c, "virtual-account", "tag", "name", "quantity")
}

// date reads YYYY-MM-DD or RFC 3339.
func date(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: --%s %q is no date such as 2026-12-31 or 2026-12-31T08:00:00Z", errUsage, flag, text)
}

func (a *app) licenseList() *cobra.Command {
	var account string
	c := &cobra.Command{Use: "list", Short: "List the licenses of an account, with what its satellites reported to be in use", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			licenses, err := u.Licenses(ctx, account)
			if err != nil {
				return err
			}
			return a.print(licenses, func(w io.Writer) {
				fmt.Fprintln(w, "VIRTUAL ACCOUNT\tTAG\tNAME\tTYPE\tQUANTITY\tIN USE\tRESERVED")
				for _, x := range licenses {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\n", x.VirtualAccount, x.Tag, x.Name, x.Type, x.Quantity, x.InUse, x.Reserved)
				}
			})
		})}
	c.Flags().StringVar(&account, "account", "", "smart account; may be left out where there is only one")
	return c
}
