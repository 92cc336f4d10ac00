package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newDeviceCommand() *cobra.Command {
	c := &cobra.Command{Use: "device", Short: "List, show, transfer and remove devices"}
	c.AddCommand(newDeviceListCommand(), newDeviceShowCommand(), newDeviceTransferCommand(), newDeviceRemoveCommand())
	return c
}

func newDeviceListCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List devices in the order of their registration",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			parameters := url.Values{"account": {text(c, "account")}, "virtual_account": {text(c, "virtual-account")}, "search": {text(c, "search")}}
			return printList(c, pages[adminapi.Device](c.Context(), connect(c), resource("devices"), parameters),
				column[adminapi.Device]{"HOST NAME", func(d adminapi.Device) any { return d.Hostname }},
				column[adminapi.Device]{"PRODUCT", func(d adminapi.Device) any { return d.UDIPID }},
				column[adminapi.Device]{"SERIAL", func(d adminapi.Device) any { return d.UDISerialNumber }},
				column[adminapi.Device]{"VIRTUAL ACCOUNT", func(d adminapi.Device) any { return d.VirtualAccount }},
				column[adminapi.Device]{"REGISTRATION", func(d adminapi.Device) any { return d.RegistrationState }},
				column[adminapi.Device]{"AUTHORIZATION", func(d adminapi.Device) any { return d.AuthorizationState }},
				column[adminapi.Device]{"PAIR", func(d adminapi.Device) any { return pairText(d) }},
				column[adminapi.Device]{"LAST CONTACT", func(d adminapi.Device) any { return d.LastContactAt }},
				column[adminapi.Device]{"PIID", func(d adminapi.Device) any { return d.PIID }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().String("virtual-account", "", "only of this virtual account")
	c.Flags().String("search", "", "beginning of serial number, host name or product id")
	return c
}

// pairText is the high-availability pair of a device, and its role there.
func pairText(d adminapi.Device) string {
	if d.ApplicationID == "" {
		return ""
	}
	return d.ApplicationID + " (" + d.HARole + ")"
}

// namesDevice lets a command name a device: by PIID, or by product id and serial number.
func namesDevice(c *cobra.Command) *cobra.Command {
	c.Flags().String("pid", "", "product id, with --serial instead of PIID")
	c.Flags().String("serial", "", "serial number, with --pid instead of PIID")
	c.Args = func(c *cobra.Command, args []string) error {
		byUDI := text(c, "pid") != "" || text(c, "serial") != ""
		switch {
		case len(args) > 1:
			return wrongUsage("%q is one argument too many", args[1])
		case len(args) == 1 && byUDI:
			return wrongUsage("a device is named by PIID, or by --pid and --serial, not by both")
		case len(args) == 1 && args[0] != "":
			return nil
		case text(c, "pid") == "" || text(c, "serial") == "":
			return wrongUsage("name the device by its PIID, or by both --pid and --serial")
		}
		return nil
	}
	return c
}

// piid is the PIID of the device that a command names.
func piid(ctx context.Context, client *client, c *cobra.Command, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	var found adminapi.List[adminapi.Device]
	parameters := url.Values{"udi_pid": {text(c, "pid")}, "udi_serial_number": {text(c, "serial")}}
	if err := client.get(ctx, ask(resource("devices"), parameters), &found); err != nil {
		return "", err
	}
	if len(found.Items) != 1 {
		return "", message("There is no such device.")
	}
	return found.Items[0].PIID, nil
}

func newDeviceShowCommand() *cobra.Command {
	c := namesDevice(&cobra.Command{
		Use:   "show (PIID | --pid PID --serial SERIAL)",
		Short: "Show a device with the licenses that it holds, or its certificate",
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			id, err := piid(c.Context(), client, c, args)
			if err != nil {
				return err
			}
			if yes(c, "certificate") {
				return printCertificate(c, client, id)
			}
			var device adminapi.DeviceDetails
			if err := client.get(c.Context(), resource("devices", id), &device); err != nil {
				return err
			}
			return printDevice(c, device)
		},
	})
	c.Flags().Bool("certificate", false, "print the ID certificate as PEM instead")
	return c
}

func printDevice(c *cobra.Command, d adminapi.DeviceDetails) error {
	fields := []line{
		{"PIID", d.PIID}, {"Product id", d.UDIPID}, {"Serial number", d.UDISerialNumber}, {"Version id", d.UDIVID},
		{"Host name", d.Hostname}, {"Software tag", d.SoftwareTag}, {"Account", d.Account}, {"Virtual account", d.VirtualAccount},
		{"Registration", d.RegistrationState}, {"Registered", d.RegisteredAt},
		{"Authorization", d.AuthorizationState}, {"Authorization ends", d.AuthorizationExpiresAt}, {"Last contact", d.LastContactAt},
		{"Certificate", d.CertificateSerial}, {"Certificate ends", d.CertificateExpiresAt},
		{"Pair", pairText(d.Device)}, {"Export-controlled allowed", d.ExportAllowed},
	}
	for _, l := range d.Licenses {
		note := ""
		if l.Shared > 0 {
			note = fmt.Sprintf(", of %d wanted; its pair holds %d", l.Wanted, l.Shared)
		}
		fields = append(fields, line{"License", fmt.Sprintf("%d of %s (%s), %s%s", l.Count, l.Tag, l.Name, l.Mode, note)})
	}
	return printRecord(c, d, fields...)
}

func printCertificate(c *cobra.Command, client *client, id string) error {
	pem, err := client.download(c.Context(), resource("devices", id, "certificate"))
	if err != nil {
		return err
	}
	if yes(c, "json") {
		return writeJSON(c.OutOrStdout(), map[string]string{"piid": id, "certificate": string(pem)})
	}
	_, err = c.OutOrStdout().Write(pem)
	return err
}

func newDeviceTransferCommand() *cobra.Command {
	c := accountFlag(namesDevice(&cobra.Command{
		Use:   "transfer (PIID... | --pid PID --serial SERIAL) --to VIRTUAL-ACCOUNT",
		Short: "Transfer devices to another virtual account, with the licenses that they use; all or none",
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			if len(args) == 0 {
				id, err := piid(c.Context(), client, c, nil)
				if err != nil {
					return err
				}
				args = []string{id}
			}
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var done adminapi.DeviceTransfer
			in := adminapi.NewDeviceTransfer{PIIDs: args, VirtualAccount: text(c, "to")}
			if err := client.post(c.Context(), resource("accounts", account, "device-transfers"), in, &done); err != nil {
				return err
			}
			say(c, "%d of %d devices were transferred to virtual account %q; they learn at their next contact what that makes of their licenses.", done.Transferred, len(args), done.VirtualAccount)
			return printRecord(c, done)
		},
	}))
	one := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if text(c, "to") == "" {
			return wrongUsage("name the virtual account that the devices go to with --to")
		}
		return one(c, args[:min(len(args), 1)])
	}
	c.Flags().String("to", "", "virtual account that the devices go to")
	return c
}

func newDeviceRemoveCommand() *cobra.Command {
	return namesDevice(&cobra.Command{
		Use:   "remove (PIID | --pid PID --serial SERIAL)",
		Short: "Remove a device: its licenses return to the pool, its certificate is revoked",
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			id, err := piid(c.Context(), client, c, args)
			if err != nil {
				return err
			}
			if err := client.call(c.Context(), http.MethodDelete, resource("devices", id), nil, nil); err != nil {
				return err
			}
			say(c, "Device %s was removed.", id)
			return printRecord(c, struct {
				PIID    string `json:"piid"`
				Removed bool   `json:"removed"`
			}{id, true})
		},
	})
}
