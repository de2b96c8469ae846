"""The table of patterns says what the API says of them: for those who cannot see a chart, and for what it can't show."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Site, sign_in

pytestmark = pytest.mark.browser


async def test_each_pattern_says_its_points_its_quality_and_the_record_of_its_kind(
    browser: Browser, site: Site
) -> None:
    page = await (await browser.new_context(viewport={"width": 1440, "height": 900})).new_page()
    await sign_in(page, site)
    async with page.expect_response(lambda answer: "/patterns?" in answer.url) as told:
        await page.goto(f"{site.base}/symbols/MSFT")
    items = (await (await told.value).json())["items"]

    rows = page.locator('[data-rows="patterns"] tr')
    await expect(rows).to_have_count(min(6, len(items)))
    head = await page.locator("table:has([data-rows=patterns]) th[scope=col]").all_inner_texts()
    assert len(head) == await rows.first.locator("th, td").count()
    for row, item in zip(await rows.all(), items, strict=False):
        cells = await row.locator("th, td").all_text_contents()
        points, record = item["points"], item["record"]
        ended = record["reached"] + record["failed"]
        assert cells[:2] == [item["kind"].replace("_", " "), item["direction"]]
        assert cells[2].split(", ")[0] == f"{points[0]['time'][:10]} at {points[0]['price']:.2f}"
        assert len(cells[2].split(", ")) == len(points)
        assert float(cells[7]) == pytest.approx(item["quality"], abs=0.0051)
        if ended:
            assert f"of {ended} on 5 symbols, by chance {100 * record['chance']:.0f} %" in cells[8]
            assert cells[8].startswith(f"reached {100 * record['share']:.0f} % ")
            assert cells[8].endswith(f"{100 * record['low']:.0f} to {100 * record['high']:.0f} %")
        else:
            assert cells[8] == "none has ended yet"
