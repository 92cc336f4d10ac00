package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newUpstreamCommand() *cobra.Command {
	c := &cobra.Command{Use: "upstream", Short: "Trust an upstream, and say how it is reached"}
	c.AddCommand(newUpstreamTrustCommand(), newUpstreamSetCommand(), newUpstreamShowCommand(), newUpstreamUnsetCommand())
	return c
}

func newUpstreamTrustCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "trust FILE",
		Short: "Trust the licensing root in a PEM file, and print its fingerprint",
		Args:  takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			var roots adminapi.List[adminapi.Root]
			if err := connect(c).upload(c.Context(), resource("roots"), args[0], &roots); err != nil {
				return err
			}
			if yes(c, "json") {
				return writeJSON(c.OutOrStdout(), roots.Items)
			}
			for _, root := range roots.Items {
				say(c, "The licensing root %q is trusted. Compare its SHA-256 fingerprint with the upstream's own:", root.Name)
				fmt.Fprintln(c.OutOrStdout(), root.Fingerprint)
			}
			return nil
		},
	}
}

func newUpstreamSetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "set --url URL",
		Short: "Say how the upstream is reached over the network",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			in := adminapi.NewUpstream{URL: text(c, "url"), Proxy: text(c, "proxy")}
			for flag, field := range map[string]*string{"ca": &in.CA, "client-certificate": &in.ClientCertificate, "client-key": &in.ClientKey} {
				if file := text(c, flag); file != "" {
					content, err := os.ReadFile(file)
					if err != nil {
						return err
					}
					*field = string(content)
				}
			}
			var upstream adminapi.Upstream
			if err := connect(c).post(c.Context(), resource("upstream"), in, &upstream); err != nil {
				return err
			}
			say(c, "The upstream is set. Nothing was sent yet: `satellite sync now` does.")
			return printRecord(c, upstream, upstreamLines(upstream)...)
		},
	}
	c.Flags().String("url", "", "address of the upstream, such as https://upstream.example:8444 (required)")
	c.Flags().String("ca", "", "PEM file of what vouches for its TLS certificate (default: what the system trusts)")
	c.Flags().String("proxy", "", "HTTP proxy, such as http://proxy.example:3128, or direct for none (default: that of the satellite's environment)")
	c.Flags().String("client-certificate", "", "PEM file of a client certificate, where the upstream asks for one")
	c.Flags().String("client-key", "", "PEM file of its key, not encrypted; it is kept sealed")
	require(c, "url")
	return c
}

func newUpstreamUnsetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unset",
		Short: "Forget how the upstream is reached: exchanges go by file",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := connect(c).call(c.Context(), http.MethodDelete, resource("upstream"), nil, nil); err != nil {
				return err
			}
			say(c, "No upstream is set any more. Exchanges go by file; licensing roots stay trusted.")
			return printRecord(c, adminapi.Upstream{})
		},
	}
}

func upstreamLines(u adminapi.Upstream) []line {
	given := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return "set"
	}
	proxy := u.Proxy
	if proxy == "" {
		proxy = "that of the satellite's environment"
	}
	return []line{{"Address", u.URL}, {"CA", given(u.CA, "what the system trusts")}, {"Proxy", proxy},
		{"Client certificate", given(u.ClientCertificate, "none")}, {"Set", u.SetAt}, {"Set by", u.SetBy}}
}

func newUpstreamShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show how the upstream is reached, and the licensing roots that are trusted",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			var roots adminapi.List[adminapi.Root]
			if err := client.get(c.Context(), resource("roots"), &roots); err != nil {
				return err
			}
			var upstream adminapi.Upstream
			if err := client.get(c.Context(), resource("upstream"), &upstream); err != nil {
				return err
			}
			var fields []line
			if upstream.URL == "" {
				say(c, "No upstream is set: exchanges go by file. Set one with `satellite upstream set --url URL --ca FILE`.")
			} else {
				fields = upstreamLines(upstream)
			}
			if len(roots.Items) == 0 {
				say(c, "No upstream is trusted yet. Trust one with `satellite upstream trust FILE`, where FILE comes from `ssm root --out FILE`.")
			}
			for _, root := range roots.Items {
				fields = append(fields, line{"Root", root.Name}, line{"Fingerprint", root.Fingerprint}, line{"Valid until", root.NotAfter}, line{"Trusted", root.TrustedAt})
			}
			return printRecord(c, struct {
				Upstream adminapi.Upstream `json:"upstream"`
				Roots    []adminapi.Root   `json:"roots"`
			}{upstream, roots.Items}, fields...)
		},
	}
}
