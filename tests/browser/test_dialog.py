"""The dialog and the builder in a browser, from the empty dashboard to the snippet in the clipboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from badge.model import Subject
from badge.web.badges.request import Format
from badge.web.snippets import SYNTAX_NAMES, Syntax, snippet
from tests.browser.place import PREFIX, needs_no_public_url, own_path, running_service
from tests.browser.watched import SHIFTS, Watched, context_of, late, watched_page
from tests.servers import Service
from tests.web.test_snippets import Read, in_html, in_markdown

WEB = "GitHub/acme/Repository/web"
HOSTILE = "<img src=x onerror=alert(1)>](javascript:alert(1))"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def watched(browser: Browser, service: Service) -> Iterator[Watched]:
    with watched_page(browser, service) as watched:
        yield watched


def test_the_first_report_leads_to_copied_markdown(watched: Watched, service: Service) -> None:
    page = watched.page
    page.goto("./dashboard")
    assert page.get_by_text("No backups yet").is_visible()
    service.flask_badge("report", WEB, "succeeded")
    page.reload()
    page.get_by_role("link", name="web", exact=True).click()
    page.get_by_role("button", name="Get badge URL").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    read = in_markdown(watched.clipboard())
    assert read == Read(f"{service.url}/badge/{WEB}", "Backup status of acme/web", f"{service.url}/status/{WEB}")
    page.goto(read.image)
    assert page.locator("title").text_content() == "backup: succeeded"


def choose(page: Page, **choices: str) -> None:
    """Make choices by their labels, in a list or by clicking a picture."""
    for legend, words in choices.items():
        named = legend.replace("_", " ")
        group = page.get_by_role("group", name=named, exact=True)
        if group.count():
            group.get_by_role("radio", name=words, exact=True).check()
        else:
            page.get_by_label(named, exact=True).select_option(label=words)


def open_all(page: Page) -> None:
    """Open "More" and, on the home page, the options."""
    if page.locator(".options > summary").count():
        page.locator(".options > summary").click()
    if page.get_by_role("button", name="More").count():
        page.get_by_role("button", name="More").click()


def test_every_syntax_is_copied_with_the_choices(watched: Watched, service: Service) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    choose(page, Image_format="PNG (email, chat)", Appearance="for-the-badge", Logo="shield", PNG_scale="3")
    open_all(page)
    page.get_by_label("Label", exact=True).fill("nightly & co")
    page.get_by_label("short, …/badge/owner/name").check()
    query = {"style": "for-the-badge", "logo": "shield", "label": "nightly & co", "scale": "3"}
    made = snippet(Subject.legacy("acme", "web"), service.url, is_short=True, format=Format.PNG, query=query)
    expect(page.locator("#snippet-url")).to_have_value(made.image_url)
    for syntax, name in SYNTAX_NAMES.items():
        if syntax is not Syntax.URL:
            page.get_by_role("tab", name=name, exact=True).click()
        page.get_by_role("button", name=f"Copy {name}", exact=True).click()
        page.get_by_text(f"{name} copied.").wait_for()
        assert watched.clipboard() == made.written_in(syntax)
    assert page.locator(".ground img").first.evaluate("image => image.complete && image.naturalWidth") > 100


def test_choices_without_effect_are_not_offered(watched: Watched) -> None:
    page = watched.page
    watched.open_dialog("GitLab/acme/Repository/web")
    expect(page.get_by_label("short, …/badge/owner/name")).not_to_be_visible()
    page.goto("./")
    open_all(page)
    page.get_by_label("Repository", exact=True).fill("acme/web")
    expect(page.get_by_label("short, …/badge/owner/name")).to_be_visible()
    page.get_by_label("Repository", exact=True).fill("https://gitlab.com/acme/web")
    expect(page.get_by_label("short, …/badge/owner/name")).not_to_be_visible()
    expect(page.get_by_label("PNG scale")).not_to_be_visible()
    choose(page, Image_format="PNG (email, chat)")
    expect(page.get_by_label("PNG scale")).to_be_visible()
    assert page.get_by_label("PNG scale").locator("option").all_text_contents() == ["1", "2", "3", "4"]


def test_syntaxes_without_image_sizes_have_a_note(watched: Watched) -> None:
    watched.open_dialog(WEB)
    note = watched.page.get_by_text("shows a PNG at full size")
    choose(watched.page, Image_format="PNG (email, chat)", Appearance="for-the-badge")
    expect(note.filter(visible=True)).to_have_text(
        "Markdown shows a PNG at full size, 56 px high; at scale 1 it is 28 px high, like the SVG."
    )
    watched.page.get_by_role("tab", name="HTML", exact=True).click()
    expect(note.filter(visible=True)).to_have_count(0)
    choose(watched.page, PNG_scale="1")
    expect(note).to_have_count(0)


CUT_SELECTS = """() => [...document.querySelectorAll(".choices select")].filter((select) => {
  const shown = select.clientWidth;
  select.style.width = "max-content";
  return shown < select.clientWidth;
}).map((select) => select.name)"""


@pytest.mark.parametrize("width", [360, 900, 1200])
def test_no_choice_is_cut_off(browser: Browser, service: Service, width: int) -> None:
    with watched_page(browser, service, viewport={"width": width, "height": 700}) as watched:
        for path in ("/?format=png", f"/dashboard/{WEB}?dialog=open&format=png"):
            watched.page.goto(own_path(path))
            open_all(watched.page)
            expect(watched.page.get_by_label("PNG scale")).to_be_visible()
            assert watched.page.evaluate(CUT_SELECTS) == []


MOST_SHIFT = 0.001


# Only without a public URL: with one, there is no note about a local URL, so the note about PNGs would appear within a
# phone's viewport and shift what is below it.
@needs_no_public_url
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_the_form_loads_and_updates(browser: Browser, service: Service, width: int) -> None:
    with watched_page(browser, service, viewport={"width": width, "height": 800}) as watched:
        page = watched.page
        # The scripts start after the first frame, and the previews arrive later still.
        page.route("**/static/*.js", late)
        page.route("**/badge/**", late)
        for path in ("/", "/?subject=acme/web&syntax=org&format=png&scale=4", f"/dashboard/{WEB}?dialog=open"):
            page.goto(own_path(path))
            page.wait_for_load_state("networkidle")
            assert page.evaluate(SHIFTS) < MOST_SHIFT, path
        choose(page, Appearance="for-the-badge", Image_format="PNG (email, chat)")
        expect(page.locator("#snippet-url")).to_have_value(re.compile("for-the-badge"))
        page.wait_for_load_state("networkidle")
        assert page.evaluate(SHIFTS) < MOST_SHIFT


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_problems_with_everything_open(browser: Browser, service: Service, scheme: str) -> None:
    # Only the colours differ in dark mode.
    options = None if scheme == "light" else {"runOnly": ["color-contrast"]}
    with watched_page(browser, service, color_scheme=scheme) as watched:
        for path in (f"/dashboard/{WEB}?dialog=open", "/?subject=acme/web", "/?subject=https://example.org/x"):
            watched.page.goto(own_path(path))
            open_all(watched.page)
            watched.page.wait_for_load_state("networkidle")
            for width in (390, 1280):
                watched.page.set_viewport_size({"width": width, "height": 800})
                found = Axe().run(watched.page, options=options)
                assert found.response["passes"], "axe looked at nothing"
                assert found.violations_count == 0, (path, width, found.generate_report())


def test_on_a_wide_screen_preview_and_snippets_stay_in_sight(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, viewport={"width": 1280, "height": 720}) as watched:
        page = watched.page
        for path in (f"/dashboard/{WEB}?dialog=open", "/?subject=acme/web"):
            page.goto(own_path(path))
            if path.startswith("/?"):
                open_all(page)
            page.get_by_label("Image format").evaluate("field => field.scrollIntoView({ block: 'end' })")
            options, preview = page.get_by_label("Label", exact=True).bounding_box(), page.locator(".grounds")
            assert options is not None
            for element in (preview, page.locator("#copy-url"), page.locator("#copy-markdown")):
                expect(element).to_be_in_viewport(ratio=1)
                around = element.bounding_box()
                assert around is not None
                assert around["x"] > options["x"] + options["width"]


def test_on_a_phone_the_preview_comes_first_and_stays_in_sight(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, viewport={"width": 390, "height": 700}) as watched:
        page = watched.page
        page.goto(f"./dashboard/{WEB}?dialog=open")
        expect(page.locator("#copy-url")).to_be_in_viewport(ratio=1)
        page.get_by_label("Image format").scroll_into_view_if_needed()
        expect(page.locator(".grounds")).to_be_in_viewport(ratio=1)
        # The preview never hides the focused element, not even one that scrolls into view from above.
        page.get_by_label("Image format").focus()
        for _ in range(14):
            page.keyboard.press("Shift+Tab")
            above, focused = page.locator(".grounds").bounding_box(), page.locator(":focus").bounding_box()
            assert above is not None
            assert focused is not None
            assert focused["y"] >= above["y"] + above["height"]


def test_pictures_are_named_radio_buttons_and_cost_no_request(watched: Watched) -> None:
    page = watched.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(f"./dashboard/{WEB}?dialog=open")
    page.wait_for_load_state("networkidle")
    for legend, field in (("Appearance", "style"), ("Colours", "palette"), ("Status icon", "icon"), ("Logo", "logo")):
        group = page.get_by_role("group", name=legend, exact=True)
        assert group.locator(f"input[name={field}]").count() == group.get_by_role("radio").count() > 1
    expect(page.get_by_role("radio", name="for-the-badge", exact=True)).to_have_count(1)
    expect(page.get_by_role("radio", name="database", exact=True)).to_have_count(1)
    # The two previews are the only pictures with a URL.
    assert sum("/badge/" in url for url in sent) == 2


def test_the_pair_for_light_and_dark_pages_is_copied_and_works(watched: Watched, service: Service) -> None:
    watched.open_dialog(WEB)
    open_all(watched.page)
    watched.page.get_by_role("tab", name="HTML for light and dark pages").click()
    watched.page.get_by_role("button", name="Copy HTML for light and dark pages").click()
    watched.page.get_by_text("HTML for light and dark pages copied.").wait_for()
    copied = watched.clipboard()
    assert in_html(copied).image == f"{service.url}/badge/{WEB}?theme=light"
    watched.page.goto("./badges")
    for scheme in ("light", "dark"):
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_content(f'<link rel="icon" href="data:,">{copied}')
        watched.page.wait_for_load_state("networkidle")
        shown = watched.page.locator("img").evaluate("image => image.currentSrc")
        assert shown == f"{service.url}/badge/{WEB}?theme={scheme}"


def test_the_address_bar_shows_the_choices_so_that_they_can_be_shared(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    choose(page, Appearance="plastic")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=plastic")
    expect(page).to_have_url(re.compile(r"\?dialog=open&style=plastic$"))
    open_all(page)
    page.get_by_role("tab", name="AsciiDoc").click()
    page.goto(page.url)
    expect(page.locator("dialog:modal")).to_be_visible()
    expect(page.get_by_role("tab", name="AsciiDoc")).to_have_attribute("aria-selected", "true")
    assert "style=plastic" in page.locator("#snippet-asciidoc").input_value()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page).to_have_url(f"{watched.service.url}/dashboard/{WEB}")


def test_the_dialog_stays_while_text_is_selected_and_closes_on_a_click_outside(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page, dialog = watched.page, watched.page.locator("dialog")
    around, field = dialog.bounding_box(), page.locator("#snippet-markdown").bounding_box()
    assert around is not None
    assert field is not None
    page.mouse.move(field["x"] + 50, field["y"] + 10)
    page.mouse.down()
    page.mouse.move(around["x"] - 20, field["y"] + 10, steps=5)
    page.mouse.up()
    page.mouse.click(around["x"] + 5, around["y"] + 5)
    # Pressing the mouse outside and releasing it inside is not a click outside; nor is pressing Enter afterwards.
    page.mouse.move(around["x"] - 20, around["y"] + 5)
    page.mouse.down()
    page.mouse.move(around["x"] + 5, around["y"] + 5)
    page.mouse.up()
    page.get_by_role("button", name="Copy Markdown").press("Enter")
    page.get_by_text("Markdown copied.").wait_for()
    expect(dialog).to_be_visible()
    page.mouse.click(around["x"] - 20, around["y"] + 5)
    expect(dialog).not_to_be_visible()


FOCUSED = "document.activeElement.id || document.activeElement.innerText"


def open_by_keyboard(page: Page) -> None:
    page.goto(f"./dashboard/{WEB}")
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == "Get badge URL":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_keyboard_alone_is_enough(watched: Watched) -> None:
    page = watched.page
    open_by_keyboard(page)
    # The focus starts on the button that most people want.
    page.keyboard.press("Enter")
    page.get_by_text("Image URL copied.").wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "style":
            break
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="flat-square")).to_be_checked()
    expect(page.get_by_role("radio", name="flat-square")).to_be_focused()
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=flat-square")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Markdown copied.").wait_for()
    assert "?style=flat-square" in watched.clipboard()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page).to_have_url(f"{watched.service.url}/dashboard/{WEB}")  # the page's script has run
    # The button beside the title, which opened it, and not the one in the settings.
    expect(page.get_by_role("button", name="Get badge URL").first).to_be_focused()


def test_the_arrow_keys_select_the_visible_syntaxes(watched: Watched) -> None:
    page = watched.page
    open_by_keyboard(page)
    page.keyboard.press("Tab")
    for key, focused in [
        ("ArrowRight", "tab-html"),
        ("ArrowRight", "tab-markdown"),
        ("End", "tab-html"),
        ("Tab", "more-syntaxes"),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == focused
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) == "tab-confluence"
    expect(page.locator("#snippet-confluence")).to_be_visible()
    expect(page.locator("#snippet-markdown")).not_to_be_visible()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == "tab-markdown"


def test_the_focus_stays_inside_and_survives_each_choice(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(document.activeElement.closest('dialog, body')).tagName"))
        assert page.evaluate("!document.activeElement.closest('header, main > :not(dialog)')")
    assert "DIALOG" in seen
    page.get_by_label("Label", exact=True).fill("x")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?label=x")
    assert page.evaluate("document.activeElement.name") == "label"


def test_the_focus_stays_on_a_copy_button_while_its_snippet_is_replaced(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    choose(page, Appearance="plastic")
    page.get_by_role("button", name="Copy Markdown").focus()
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=plastic")
    expect(page.get_by_role("button", name="Copy Markdown")).to_be_focused()


def test_a_bad_max_age_is_reported_beside_its_field_and_announced(watched: Watched) -> None:
    watched.open_dialog(WEB)
    field = watched.page.get_by_label("Overdue after")
    fault = watched.page.locator("#max-age-fault").element_handle()
    field.fill("5m")
    expect(field).to_have_accessible_description("Enter a duration from 1h to 3650d, such as 26h or 7d.")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field.locator("xpath=..").get_by_role("status")).to_have_text(
        "Enter a duration from 1h to 3650d, such as 26h or 7d."
    )
    field.fill("5h")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    # The same element as before, because screen readers don't announce a new one.
    assert fault.evaluate("fault => fault.isConnected && fault.textContent") == ""


def test_the_builder_announces_which_repository_a_url_names(watched: Watched) -> None:
    page = watched.page
    page.goto("./")
    field = page.get_by_role("textbox", name="Repository")
    fault, named = (page.locator(place).element_handle() for place in ("#subject-fault", "#subject-named"))
    field.fill("https://example.org/x")
    expect(page.get_by_role("status").filter(has_text="Choose the platform that runs on example.org")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("acme/web")
    expect(page.get_by_role("status").filter(has_text="GitHub · acme · Repository · web")).to_be_visible()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    assert fault.evaluate("one => one.isConnected")
    assert named.evaluate("one => one.isConnected")


def test_on_a_phone_the_copied_message_is_visible(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, viewport={"width": 360, "height": 640}) as watched:
        for path in (f"/dashboard/{WEB}?dialog=open", "/?subject=acme/web"):
            watched.page.goto(own_path(path))
            watched.page.get_by_role("button", name="Copy Image URL").click()
            expect(watched.page.get_by_text("Image URL copied.")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("size", [(1280, 720), (1280, 600), (360, 640)])
@pytest.mark.parametrize("path", ["/dashboard/acme/web?dialog=open", "/?subject=acme/web"])
def test_the_message_does_not_cover_its_field(
    browser: Browser, service: Service, path: str, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    with watched_page(browser, service, viewport=viewport) as watched:
        watched.page.goto(own_path(path))
        for name, snippet in (("Markdown", "markdown"), ("Image URL", "url")):
            watched.page.get_by_role("button", name=f"Copy {name}", exact=True).click()
            watched.page.get_by_text(f"{name} copied.").wait_for()
            message = watched.page.locator("#copied").bounding_box()
            field = watched.page.locator(f"#snippet-{snippet}").bounding_box()
            assert message is not None
            assert field is not None
            is_above = message["y"] + message["height"] <= field["y"]
            is_below = field["y"] + field["height"] <= message["y"]
            assert is_above or is_below, name
            expect(watched.page.locator("#copied")).to_be_in_viewport(ratio=1)
            expect(watched.page.locator(f"#snippet-{snippet}")).to_be_in_viewport(ratio=1)


def test_a_copy_button_keeps_its_place_and_size_when_marked(watched: Watched) -> None:
    watched.open_dialog(WEB)
    button = watched.page.get_by_role("button", name="Copy Markdown")
    before = button.bounding_box()
    button.evaluate("button => button.classList.add('copied')")
    assert button.bounding_box() == before


def test_forced_colours_keep_the_backgrounds_and_the_selection(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, forced_colors="active") as watched:
        watched.open_dialog(WEB)
        expect(watched.page.locator(".ground.dark")).to_have_css("background-color", "rgb(13, 17, 23)")
        expect(watched.page.locator("[role=tab][aria-selected=true]")).to_have_css("text-decoration-line", "underline")
        expect(watched.page.locator("[role=tab][aria-selected=false]").first).to_have_css(
            "text-decoration-line", "none"
        )


def test_options_are_folded_unless_one_has_an_error(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, viewport={"width": 360, "height": 640}) as watched:
        watched.page.goto("./?subject=acme/web")
        expect(watched.page.get_by_label("Overdue after")).not_to_be_visible()
        watched.page.goto("./?subject=acme/web&max_age=5m")
        expect(watched.page.get_by_text("Enter a duration from 1h to 3650d")).to_be_visible()


PLACES = [f"/dashboard/{WEB}?dialog=open", "/?subject=acme/web"]


@pytest.mark.parametrize("path", PLACES)
def test_a_choice_made_just_before_copying_is_copied(watched: Watched, path: str) -> None:
    page = watched.page
    page.goto(own_path(path))
    open_all(page)
    page.get_by_label("Label", exact=True).fill("nightly")
    page.get_by_role("button", name="Copy Image URL").click()
    page.get_by_text("Image URL copied.").wait_for()
    assert watched.clipboard() == f"{watched.service.url}/badge/{WEB}?label=nightly"


def test_a_slow_answer_is_shown_as_loading_and_then_copied(watched: Watched) -> None:
    page = watched.page
    watched.open_dialog(WEB)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/dashboard/**label=nightly*", hold)
    with page.expect_request("**/dashboard/**label=nightly*"):
        page.get_by_label("Label", exact=True).fill("nightly")
    page.get_by_role("button", name="Copy Image URL").click()
    expect(page.locator("#badge-result")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".grounds")).to_have_css("opacity", "0.45")
    expect(page.locator("#copied")).to_be_empty()
    held[0].continue_()
    page.get_by_text("Image URL copied.").wait_for()
    assert watched.clipboard() == f"{watched.service.url}/badge/{WEB}?label=nightly"
    expect(page.locator(".grounds")).to_have_css("opacity", "1")
    expect(page.get_by_role("button", name="Copy Image URL")).to_be_focused()


def test_after_a_failure_nothing_outdated_is_copied_and_the_request_is_retried(watched: Watched) -> None:
    page = watched.page
    watched.open_dialog(WEB)
    page.route("**/dashboard/**label=*", lambda route: route.abort())
    page.get_by_label("Label", exact=True).fill("nightly")
    page.get_by_text("The service did not answer.").wait_for()
    with page.expect_request("**/dashboard/**label=nightly*"):
        page.get_by_role("button", name="Copy Image URL").click()
    page.get_by_text("The service did not answer.").wait_for()
    page.unroute_all()
    page.get_by_role("button", name="Copy Image URL").click()
    page.get_by_text("Image URL copied.").wait_for()
    assert watched.clipboard() == f"{watched.service.url}/badge/{WEB}?label=nightly"
    watched.faults.clear()  # the console reported the failure, too


def test_without_the_clipboard_the_snippet_is_selected(watched: Watched) -> None:
    watched.open_dialog(WEB)
    page = watched.page
    devtools = page.context.new_cdp_session(page)
    profile = devtools.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
    denied = {"permission": {"name": "clipboard-write"}, "setting": "denied", "browserContextId": profile}
    devtools.send("Browser.setPermission", {**denied, "origin": watched.service.url})
    page.get_by_role("button", name="Copy Markdown").click()
    expect(page.get_by_text("Text selected: press Ctrl+C")).to_be_visible()
    page.keyboard.press("Control+C")
    assert watched.clipboard() == page.locator("#snippet-markdown").input_value()


@needs_no_public_url
def test_without_scripts_the_page_is_a_form_with_the_same_snippets(browser: Browser, service: Service) -> None:
    made = snippet(Subject.legacy("acme", "web"), "https://this-service.invalid", query={"style": "plastic"})
    with watched_page(browser, service, java_script_enabled=False) as watched:
        page = watched.page
        page.goto(f"./dashboard/{WEB}")
        assert not page.locator("dialog").is_visible()
        page.get_by_role("button", name="Get badge URL").first.click()
        expect(page.get_by_role("heading", name="Badge for web")).to_be_in_viewport()
        choose(page, Appearance="plastic")
        page.get_by_role("button", name="Update").click()
        expect(page.get_by_role("heading", name="Badge for web")).to_be_in_viewport()
        assert page.evaluate(WIDTH) == page.evaluate("innerWidth")
        for syntax in Syntax:
            expect(page.locator(f"#snippet-{syntax}")).to_have_value(made.written_in(syntax))
            expect(page.locator(f"#snippet-{syntax}")).to_be_visible()
        assert "Replace https://this-service.invalid" in page.locator("dialog").inner_text()


@needs_no_public_url
def test_without_scripts_the_builder_works_too(browser: Browser, service: Service) -> None:
    with watched_page(browser, service, java_script_enabled=False) as watched:
        watched.page.goto("./")
        watched.page.get_by_label("Repository").fill("https://github.com/acme/web")
        watched.page.get_by_role("button", name="Build").click()
        expect(watched.page.locator("#snippet-url")).to_have_value(f"https://this-service.invalid/badge/{WEB}")


def test_the_builder_answers_while_typing(watched: Watched) -> None:
    page = watched.page
    page.goto("./")
    page.get_by_label("Repository").press_sequentially("https://gitlab.com/group/sub/web")
    path = "GitLab/group%2Fsub/Repository/web"
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{path}")
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    assert in_markdown(watched.clipboard()).page == f"{watched.service.url}/status/{path}"
    page.get_by_label("Repository").fill("https://example.org/x")
    page.get_by_text("Choose the platform that runs on example.org.").wait_for()
    expect(page.locator(".snippet")).to_have_count(0)


NOWHERE_ELSE = "This URL only works on your machine or network."
IN_BROWSER = "The host of this URL is the one in your browser"


@needs_no_public_url
def test_a_local_url_has_a_note(watched: Watched) -> None:
    page = watched.page
    page.goto("./?subject=acme/web")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    open_all(page)
    choose(page, Appearance="plastic")
    expect(page.locator("#snippet-url")).to_have_value(f"{watched.service.url}/badge/{WEB}?style=plastic")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    page.goto("./doctor?subject=acme/web")
    expect(page.get_by_text(NOWHERE_ELSE)).to_be_visible()
    watched.open_dialog(WEB)
    expect(page.get_by_role("dialog").get_by_text(NOWHERE_ELSE)).to_be_visible()
    expect(page.get_by_text(IN_BROWSER)).not_to_be_visible()


@needs_no_public_url
@pytest.mark.parametrize(
    ("host", "note"),
    [
        ("badges.example.org", IN_BROWSER),
        ("[2001:db8::1]", IN_BROWSER),
        ("10.example.org", IN_BROWSER),
        ("172.32.0.1", IN_BROWSER),
        ("172.16.0.1", NOWHERE_ELSE),
        ("[fd00::1]", NOWHERE_ELSE),
        ("nas", NOWHERE_ELSE),
        ("nas.local:8000", NOWHERE_ELSE),
    ],
)
def test_the_note_depends_on_the_browser_s_host(browser: Browser, service: Service, host: str, note: str) -> None:
    service.flask_badge("report", WEB, "succeeded")  # without a subject, there would be another note
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(response=route.fetch(url=service.url + of_path(route.request.url))))
    page.goto(f"http://{host}/?subject=acme/web")
    expect(page.locator("#snippet-url")).to_have_value(f"http://{host}/badge/{WEB}")
    expect(page.locator(".note:visible")).to_have_count(1)
    expect(page.get_by_text(note)).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")  # images may still be loading
    page.close()


def of_path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_with_a_public_url_there_is_no_note(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {"BADGE_PUBLIC_URL": "https://badges.example.org"}
    with (
        running_service(tmp_path_factory.mktemp("public"), **settings) as public,
        watched_page(browser, public) as watched,
    ):
        watched.page.goto("./?subject=acme/web")
        expect(watched.page.locator("#snippet-url")).to_have_value(f"https://badges.example.org{PREFIX}/badge/{WEB}")
        expect(watched.page.locator(".note[data-reach]")).to_have_count(0)


def test_a_hostile_name_is_only_text(watched: Watched, service: Service) -> None:
    page = watched.page
    service.flask_badge("report", f"GitHub/acme/Repository/{quote(HOSTILE)}", "failed")
    page.goto("./dashboard")
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("button", name="Get badge URL").first.click()
    page.get_by_role("button", name="Copy Markdown").click()
    page.get_by_text("Markdown copied.").wait_for()
    read = in_markdown(watched.clipboard())
    assert read.page.startswith(service.url)
    assert read.alt == f"Backup status of acme/{HOSTILE}"


ON_A_PHONE = [
    "/",
    "/?subject=acme/web",
    "/badges",
    "/doctor",
    "/doctor?subject=acme/web",
    "/docs",
    "/dashboard",
    f"/dashboard/{WEB}",
    f"/dashboard/{WEB}?dialog=open",
]
WIDTH = "document.documentElement.scrollWidth"
AREAS = "main :is(.wide, .sheet, h1, h2, label, .button)"
BROKEN_WORDS = """(areas) => {
  const broken = [];
  for (const closed of document.querySelectorAll("main details")) closed.open = true;
  document.querySelectorAll(areas).forEach((area) => {
    const texts = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((line) => line.top)).size > 1) broken.push(word[0]);
    }
  });
  return broken;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone(browser: Browser, service: Service, scheme: str) -> None:
    service.flask_badge("demo")
    with watched_page(browser, service, viewport={"width": 360, "height": 700}, color_scheme=scheme) as watched:
        for path in ON_A_PHONE:
            watched.page.goto(own_path(path))
            watched.page.wait_for_load_state("networkidle")
            assert watched.page.evaluate(WIDTH) <= 360, path
            assert watched.page.evaluate(BROKEN_WORDS, AREAS) == [], path
        dialog = watched.page.locator("dialog")
        assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


def test_names_are_not_broken_if_there_is_room(browser: Browser, service: Service) -> None:
    service.flask_badge("report", "acme/continuousintegration", "succeeded")
    page = context_of(browser, service).new_page()
    for path, width in (("/dashboard", 641), ("/dashboard", 700), ("/docs", 1280)):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(own_path(path))
        page.wait_for_load_state("networkidle")
        names = ".subjects a[href$=continuousintegration], .fields > li > code"
        assert page.locator(names).count() > 0
        assert page.evaluate(BROKEN_WORDS, names) == [], (path, width)
    page.close()


def test_a_message_fits_a_phone_and_the_skip_link_is_legible(browser: Browser, service: Service) -> None:
    page = context_of(browser, service, viewport={"width": 360, "height": 700}).new_page()
    page.goto("./dashboard/a")
    expect(page.get_by_role("heading", name="This URL does not name a repository")).to_be_visible()
    assert page.evaluate(WIDTH) <= 360
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to content")
    expect(link).to_be_focused()
    assert link.evaluate("link => getComputedStyle(link).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
