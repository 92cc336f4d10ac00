package main

import (
	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newAPIClientCommand() *cobra.Command {
	c := &cobra.Command{Use: "api-client", Short: "Manage the programs that may use the REST APIs"}
	c.AddCommand(newAPIClientCreateCommand(), newAPIClientListCommand(), newAPIClientRotateCommand(), newAPIClientRevokeCommand())
	return c
}

func newAPIClientCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create --name NAME [--role ROLE] [--account NAME [--virtual-account NAME]]",
		Short: "Create an API client; its secret is shown this one time",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var client adminapi.APIClientWithSecret
			in := adminapi.NewAPIClient{Name: text(c, "name"), Role: text(c, "role"), Account: text(c, "account"), VirtualAccount: text(c, "virtual-account")}
			if err := connect(c).post(c.Context(), "/api-clients", in, &client); err != nil {
				return err
			}
			say(c, "API client %q was created. Its secret is shown this one time: keep it safe.", client.Name)
			return printRecord(c, client, append(secretLines(client), apiClientLines(client.APIClient)...)...)
		},
	}
	c.Flags().String("name", "", "what it is called in lists and events")
	c.Flags().String("role", "", "what it may do (default system-admin; with --account account-admin, with --virtual-account virtual-account-admin)")
	c.Flags().String("account", "", "the account that the role is in; without it, the whole satellite")
	c.Flags().String("virtual-account", "", "the virtual account that the role is in")
	require(c, "name")
	return c
}

func newAPIClientListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List API clients: those in use by name, then the revoked ones",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return printList(c, pages[adminapi.APIClient](c.Context(), connect(c), "/api-clients", nil),
				column[adminapi.APIClient]{"NAME", func(a adminapi.APIClient) any { return a.Name }},
				column[adminapi.APIClient]{"CLIENT ID", func(a adminapi.APIClient) any { return a.ClientID }},
				column[adminapi.APIClient]{"STATUS", func(a adminapi.APIClient) any { return a.Status }},
				column[adminapi.APIClient]{"ROLE", func(a adminapi.APIClient) any { return a.Role }},
				column[adminapi.APIClient]{"ACCOUNT", func(a adminapi.APIClient) any { return a.Account }},
				column[adminapi.APIClient]{"VIRTUAL ACCOUNT", func(a adminapi.APIClient) any { return a.VirtualAccount }},
				column[adminapi.APIClient]{"LAST USED", func(a adminapi.APIClient) any { return a.LastUsedAt }},
				column[adminapi.APIClient]{"FROM", func(a adminapi.APIClient) any { return a.LastSource }})
		},
	}
}

func newAPIClientRotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate NAME|CLIENT-ID [--overlap-hours N]",
		Short: "Give an API client another secret; the one before is accepted for a while",
		Args:  takes("NAME|CLIENT-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var client adminapi.APIClientWithSecret
			overlap, err := c.Flags().GetInt("overlap-hours")
			if err != nil {
				return err
			}
			if err := connect(c).post(c.Context(), resource("api-clients", args[0], "rotate"), adminapi.Rotation{OverlapHours: &overlap}, &client); err != nil {
				return err
			}
			say(c, "API client %q has a new secret, shown this one time: keep it safe.", client.Name)
			return printRecord(c, client, append(secretLines(client), apiClientLines(client.APIClient)...)...)
		},
	}
	c.Flags().Int("overlap-hours", 24, "how long the secret before is accepted, too, 0 to 720; 0 also ends all access tokens at once")
	return c
}

func newAPIClientRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME|CLIENT-ID",
		Short: "End an API client at once, with its secrets and access tokens",
		Args:  takes("NAME|CLIENT-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var client adminapi.APIClient
			if err := connect(c).post(c.Context(), resource("api-clients", args[0], "revoke"), nil, &client); err != nil {
				return err
			}
			say(c, "API client %q was revoked.", client.Name)
			return printRecord(c, client, apiClientLines(client)...)
		},
	}
}

func secretLines(client adminapi.APIClientWithSecret) []line {
	return []line{{"Client id", client.ClientID}, {"Client secret", client.ClientSecret}}
}

func apiClientLines(client adminapi.APIClient) []line {
	return []line{
		{"Name", client.Name}, {"Status", client.Status}, {"Role", client.Role}, {"Account", client.Account}, {"Virtual account", client.VirtualAccount},
		{"Previous secret until", client.PreviousSecretUntil}, {"Created", client.CreatedAt},
	}
}
