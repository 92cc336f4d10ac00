package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) licenseDefine() *cobra.Command {
	var definition ssm.Definition // as far as flags say it
	var kind, enforcement, billing string
	c := &cobra.Command{Use: "define --tag T --name N", Short: "Say what a tag means", Args: cobra.NoArgs,
		Long: "Say what a tag means, to every satellite of the account. What is left out stays as it is;\n" +
			"of a new tag it is perpetual, unenforced, prepaid, and none of the rest.\n" +
			"The next response tells each satellite."}
	flags := c.Flags()
	flags.StringVar(&definition.Account, "account", "", "smart account; may be left out where there is only one")
	flags.StringVar(&definition.Tag, "tag", "", "entitlement tag")
	flags.StringVar(&definition.Name, "name", "", "display name of the license")
	flags.StringVar(&definition.Description, "description", "", "what the license is for")
	flags.StringVar(&kind, "type", "", "perpetual, subscription or evaluation")
	flags.StringVar(&enforcement, "enforcement", "", "unenforced, enforced or export-controlled; the last two are refused where they are not available, not overdrawn")
	flags.StringVar(&billing, "billing", "", "prepaid or usage")
	flags.BoolVar(&definition.ReportingOnly, "reporting-only", false, "it is counted, and never short")
	flags.BoolVar(&definition.Overage, "overage", false, "the contract allows more to be used than was bought")
	flags.StringVar(&definition.HigherTier, "higher-tier", "", `tag whose surplus covers a shortage of this one; "" for none`)
	c.RunE = a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
		definition.Type, definition.Enforcement, definition.Billing = ssm.LicenseType(kind), ssm.Enforcement(enforcement), ssm.Billing(billing)
		defined, err := u.Define(ctx, ssm.DefinitionChange{
			Account: definition.Account, Tag: definition.Tag, Name: definition.Name,
			Description: given(c, "description", &definition.Description), Type: given(c, "type", &definition.Type),
			Enforcement: given(c, "enforcement", &definition.Enforcement), Billing: given(c, "billing", &definition.Billing),
			ReportingOnly: given(c, "reporting-only", &definition.ReportingOnly), Overage: given(c, "overage", &definition.Overage),
			HigherTier: given(c, "higher-tier", &definition.HigherTier),
		})
		if err != nil {
			return err
		}
		return a.print(defined, func(w io.Writer) {
			fmt.Fprintf(w, "%s is %q in %q: %s, %s, %s.\n", defined.Tag, defined.Name, defined.Account, defined.Type, defined.Enforcement, defined.Billing)
		})
	})
	return need(c, "tag", "name")
}

// given is the value of a flag that stands on the command line; nil of another.
func given[V any](c *cobra.Command, flag string, value *V) *V {
	if !c.Flags().Changed(flag) {
		return nil
	}
	return value
}

func (a *app) licenseDefinitions() *cobra.Command {
	var account string
	c := &cobra.Command{Use: "definitions", Short: "List what the tags of an account mean", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			list, err := u.Definitions(ctx, account)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) {
				fmt.Fprintln(w, "TAG\tNAME\tTYPE\tENFORCEMENT\tBILLING\tREPORTING ONLY\tOVERAGE\tHIGHER TIER")
				for _, x := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%t\t%t\t%s\n", x.Tag, x.Name, x.Type, x.Enforcement, x.Billing, x.ReportingOnly, x.Overage, x.HigherTier)
				}
			})
		})}
	c.Flags().StringVar(&account, "account", "", "smart account; may be left out where there is only one")
	return c
}
