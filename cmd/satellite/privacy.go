package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newPrivacyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "privacy",
		Short: "Leave out host names, addresses and versions of what goes upstream",
		Long: "Leave out host names, IP addresses, MAC addresses and versions of everything that goes upstream.\n\n" +
			"What is on is left out. Without --account it is about the default of all accounts; an account inherits that, or has its own.",
	}
	c.AddCommand(newPrivacyShowCommand(), newPrivacySetCommand())
	return c
}

// privacyResource is that of the account of --account, or of the default.
func privacyResource(c *cobra.Command) string {
	if account := text(c, "account"); account != "" {
		return resource("accounts", account, "privacy")
	}
	return resource("privacy")
}

func newPrivacyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show [--account NAME]",
		Short: "Show what is left out",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var privacy adminapi.PrivacySettings
			if err := connect(c).get(c.Context(), privacyResource(c), &privacy); err != nil {
				return err
			}
			return printPrivacy(c, privacy)
		},
	}
	c.Flags().String("account", "", "name of the account (default: what holds for all that inherit)")
	return c
}

func newPrivacySetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "set [--account NAME] [--hostname S] [--ip-address S] [--mac-address S] [--version S]",
		Short: "Change what is left out; S is on, off or inherit",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			in := adminapi.PrivacyChange{Hostname: text(c, "hostname"), IPAddress: text(c, "ip-address"), MACAddress: text(c, "mac-address"), Version: text(c, "version")}
			if in == (adminapi.PrivacyChange{}) {
				return message("Nothing was named that should be changed: --hostname, --ip-address, --mac-address, --version. Nothing was changed.")
			}
			var privacy adminapi.PrivacySettings
			if err := connect(c).patch(c.Context(), privacyResource(c), in, &privacy); err != nil {
				return err
			}
			say(c, "Privacy was changed. Where something else is left out now, the next sync request carries everything anew, and its answer tells that the upstream holds nothing else.")
			return printPrivacy(c, privacy)
		},
	}
	c.Flags().String("account", "", "name of the account (default: what holds for all that inherit)")
	c.Flags().String("hostname", "", "host names: on (left out), off (sent) or inherit")
	c.Flags().String("ip-address", "", "IP addresses, likewise")
	c.Flags().String("mac-address", "", "MAC addresses, likewise; a device that is known by nothing else goes up under a pseudonym")
	c.Flags().String("version", "", "versions of software and hardware, likewise; usage reports then stay at the satellite, and only their totals go up")
	return c
}

func printPrivacy(c *cobra.Command, p adminapi.PrivacySettings) error {
	account := p.Account
	if account == "" {
		account = "default of all accounts"
	}
	word := func(set, effective string) string {
		means := map[string]string{"on": "left out", "off": "sent"}[effective]
		return fmt.Sprintf("%s (%s)", means, set)
	}
	return printRecord(c, p, line{"Account", account},
		line{"Host names", word(p.Set.Hostname, p.Effective.Hostname)}, line{"IP addresses", word(p.Set.IPAddress, p.Effective.IPAddress)},
		line{"MAC addresses", word(p.Set.MACAddress, p.Effective.MACAddress)}, line{"Versions", word(p.Set.Version, p.Effective.Version)})
}
