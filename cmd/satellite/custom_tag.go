package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

// newTagCommand sets, lists and removes the custom tags of what its first
// argument names.
func newTagCommand(noun, argument, parameter string) *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "tag " + argument + " [KEY=VALUE[,VALUE]...]... [--account NAME]",
		Short: "Give a " + noun + " custom tags, or list them; KEY= removes one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongUsage("%s is missing", argument)
			}
			for _, tag := range args[1:] {
				if key, _, found := strings.Cut(tag, "="); !found || key == "" {
					return wrongUsage("%q is no KEY=VALUE", tag)
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			path := resource("accounts", account, "custom-tags")
			for _, tag := range args[1:] {
				key, values, _ := strings.Cut(tag, "=")
				if values == "" {
					err = client.call(c.Context(), http.MethodDelete, ask(path, url.Values{parameter: {args[0]}, "key": {key}}), nil, nil)
				} else {
					err = client.post(c.Context(), ask(path, url.Values{parameter: {args[0]}}), adminapi.CustomTag{Key: key, Values: strings.Split(values, ",")}, nil)
				}
				if err != nil {
					return err
				}
			}
			return printList(c, pages[adminapi.CustomTag](c.Context(), client, path, url.Values{parameter: {args[0]}}),
				column[adminapi.CustomTag]{"KEY", func(t adminapi.CustomTag) any { return t.Key }},
				column[adminapi.CustomTag]{"VALUES", func(t adminapi.CustomTag) any { return strings.Join(t.Values, ", ") }})
		},
	})
}
