package kit

import "maps"

// english are the kit's own words.
var english = map[string]string{
	"kit.alert.bad":     "Error",
	"kit.alert.idle":    "Note",
	"kit.alert.info":    "Note",
	"kit.alert.ok":      "Done",
	"kit.alert.warn":    "Warning",
	"kit.cancel":        "Cancel",
	"kit.close":         "Close",
	"kit.code":          "Lines to type",
	"kit.columns":       "Columns",
	"kit.confirm":       "Type “%s” to confirm",
	"kit.copied":        "Copied",
	"kit.copy":          "Copy",
	"kit.copy.failed":   "The browser did not allow copying. Select the text and copy it by hand.",
	"kit.export":        "Export",
	"kit.filter.add":    "Add filter: %s",
	"kit.filter.remove": "Remove filter: %s",
	"kit.language":      "Language",
	"kit.menu":          "Menu",
	"kit.navigation":    "Main menu",
	"kit.next":          "Next",
	"kit.optional":      "optional",
	"kit.pages":         "Pages of the table",
	"kit.path":          "Path",
	"kit.previous":      "Previous",
	"kit.qr":            "QR code",
	"kit.search":        "Search",
	"kit.skip":          "Skip to content",
	"kit.signout":       "Sign out",
	"kit.step.done":     "done",
	"kit.steps":         "Steps",
	"kit.switch":        "Change account",
	"kit.tabs":          "Parts of this page",
	"kit.theme.dark":    "Dark theme",
	"kit.theme.light":   "Light theme",
	"kit.user":          "User menu",
	"kit.version":       "Version %s",
	"kit.workspaces":    "Workspaces",
}

var japanese = map[string]string{
	"kit.alert.bad":     "エラー",
	"kit.alert.idle":    "注記",
	"kit.alert.info":    "注記",
	"kit.alert.ok":      "完了",
	"kit.alert.warn":    "警告",
	"kit.cancel":        "キャンセル",
	"kit.close":         "閉じる",
	"kit.code":          "入力するコマンド",
	"kit.columns":       "表示列",
	"kit.confirm":       "確認のため「%s」と入力",
	"kit.copied":        "コピー済み",
	"kit.copy":          "コピー",
	"kit.copy.failed":   "ブラウザがコピーを許可しませんでした。文字列を選択してコピーしてください。",
	"kit.export":        "エクスポート",
	"kit.filter.add":    "絞り込みを追加: %s",
	"kit.filter.remove": "絞り込みを解除: %s",
	"kit.language":      "言語",
	"kit.menu":          "メニュー",
	"kit.navigation":    "メインメニュー",
	"kit.next":          "次へ",
	"kit.optional":      "任意",
	"kit.pages":         "表のページ",
	"kit.path":          "現在の位置",
	"kit.previous":      "前へ",
	"kit.qr":            "QR コード",
	"kit.search":        "検索",
	"kit.skip":          "本文へ移動",
	"kit.signout":       "サインアウト",
	"kit.step.done":     "完了",
	"kit.steps":         "手順",
	"kit.switch":        "アカウントの切り替え",
	"kit.tabs":          "このページの項目",
	"kit.theme.dark":    "ダークテーマ",
	"kit.theme.light":   "ライトテーマ",
	"kit.user":          "ユーザメニュー",
	"kit.version":       "バージョン %s",
	"kit.workspaces":    "ワークスペース",
}

// Words returns the kit's own words by key, for the app to merge into its
// translations: Japanese for "ja", English for every other language. Verbs
// in them are those of package fmt. Every language has the same keys, all of
// which begin with "kit.".
func Words(lang string) map[string]string {
	if lang == "ja" {
		return maps.Clone(japanese)
	}
	return maps.Clone(english)
}
