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
			password, err := readPassword(text(c, "password-file"))
			if err != nil {
				return err
			}
			var user adminapi.User
			in := adminapi.NewUser{Email: text(c, "email"), Name: text(c, "name"), Password: password}
			if err := connect(c).post(c.Context(), resource("setup"), in, &user); err != nil {
				return err
			}
			say(c, "%s can sign in now.", user.Email)
			return printRecord(c, user, line{"E-mail", user.Email}, line{"Name", user.Name}, line{"Role", user.Role})
		},
	}
	c.Flags().String("email", "", "e-mail address, to sign in with (required)")
	c.Flags().String("name", "", "name of the person (required)")
	c.Flags().String("password-file", "", "file with the password as its one line (required)")
	require(c, "email", "name", "password-file")
	return c
}

func readPassword(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxPasswordFile))
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(string(content), "\n")
	if strings.TrimSpace(rest) != "" {
		return "", message(fmt.Sprintf("%s has more than one line, so it is no password file. Nothing was created.", name))
	}
	return strings.TrimSuffix(first, "\r"), nil
}
