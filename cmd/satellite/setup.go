package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

// maxPasswordFile bounds what is read as a password.
const maxPasswordFile = 4 << 10

func newSetupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup --email EMAIL --name NAME --password-file FILE",
		Short: "Create the first user, a System Admin",
		Long:  "Creates the first user, a System Admin. The password is the one line of the file.",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := readPassword(c)
			if err != nil {
				return err
			}
			var user adminapi.User
			in := adminapi.FirstUser{Email: text(c, "email"), Name: text(c, "name"), Password: password}
			if err := connect(c).post(c.Context(), resource("setup"), in, &user); err != nil {
				return err
			}
			say(c, "%s can sign in now.", user.Email)
			return printRecord(c, user, line{"E-mail", user.Email}, line{"Name", user.Name}, line{"Role", user.Role})
		},
	}
	c.Flags().String("email", "", "e-mail address, to sign in with (required)")
	c.Flags().String("name", "", "name of the person (required)")
	passwordFlag(c)
	require(c, "email", "name", "password-file")
	return c
}

// passwordFlag is how a command gets a password: never as an argument, which
// the list of processes and the history of the shell would show.
func passwordFlag(c *cobra.Command) {
	c.Flags().String("password-file", "", "file with the password as its one line; - is standard input (required)")
}

// readPassword reads the file of --password-file.
func readPassword(c *cobra.Command) (string, error) {
	name, source := text(c, "password-file"), c.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	content, err := io.ReadAll(io.LimitReader(source, maxPasswordFile))
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(string(content), "\n")
	if strings.TrimSpace(rest) != "" {
		return "", message(fmt.Sprintf("%s has more than one line, so it is no password file. Nothing was changed.", name))
	}
	return strings.TrimSuffix(first, "\r"), nil
}
